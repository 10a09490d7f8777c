/// Connections come and go: listening, accepting within the budget, time-outs, the end.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "net/epoll.hpp"
#include "net/socket_address.hpp"
#include "net/socket_option.hpp"
#include "net/stream_sockets.hpp"

namespace turn::net {

namespace {

using namespace std::chrono_literals;

constexpr int accepts_a_turn = 64;
constexpr auto pause_without_descriptors = 100ms;
/// What the kernel may hold that is not on its way yet; more would only grow old there, out of our sight.
constexpr int unsent_in_kernel = 131'072;
/// How long sent bytes may stay unacknowledged before the kernel gives the connection up.
constexpr auto dead_after = 30s;

result<file_descriptor> open_listener(const transport_address& local, bool reuse_port) noexcept {
    file_descriptor opened(
        ::socket(kernel_family(local.family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    socket_address name{};
    const socklen_t size = to_socket_address(local, name);
    const int d = opened.number();
    const bool ok = opened && set_option(d, SOL_SOCKET, SO_REUSEADDR, 1) && // connections of an earlier run may linger
                    (!reuse_port || set_option(d, SOL_SOCKET, SO_REUSEPORT, 1)) &&
                    (local.is_ipv4() || set_option(d, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                    ::bind(d, &name.any, size) == 0 && ::listen(d, SOMAXCONN) == 0;
    if (!ok) return errc::io;
    return opened;
}

void configure(int connection) noexcept {
    // None of these is worth refusing a client for.
    set_option(connection, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(connection, IPPROTO_TCP, TCP_NOTSENT_LOWAT, unsent_in_kernel);
    set_option(connection, IPPROTO_TCP, TCP_USER_TIMEOUT,
               static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(dead_after).count()));
}

} // namespace

result<std::uint32_t> stream_sockets::listen(const transport_address& local, stream_kinds kinds, bool reuse_port) {
    auto handle = open_listener(local, reuse_port);
    if (!handle) return handle.error();
    const auto bound = bound_address(handle->number());
    if (!bound) return bound.error();
    const auto number = static_cast<std::uint32_t>(listeners_.size());
    listeners_.reserve(listeners_.size() + 1);
    reserve_turns(connections_.size());
    if (!epoll_add(set_, handle->number(), number | listener_bit | token_bits)) return errc::io;
    listeners_.push_back({std::move(*handle), *bound, std::move(kinds)});
    return number;
}

transport_address stream_sockets::local_address(std::uint32_t listener) const {
    return listeners_[listener].local;
}

int stream_sockets::descriptor(std::uint32_t listener) const {
    return listeners_[listener].handle.number();
}

/// Without descriptors accept() fails while the listener stays readable: epoll would spin.
void stream_sockets::watch_listeners(bool on) noexcept {
    for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
        epoll_event event{};
        event.events = on ? EPOLLIN : 0U;
        event.data.u32 = i | listener_bit | token_bits;
        ::epoll_ctl(set_, EPOLL_CTL_MOD, listeners_[i].handle.number(), &event);
    }
}

void stream_sockets::accept_some(std::uint32_t listener, time_point now) {
    for (int i = 0; i < accepts_a_turn; ++i) {
        socket_address name{};
        socklen_t size = sizeof name;
        file_descriptor handle(
            ::accept4(listeners_[listener].handle.number(), &name.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (handle) {
            begin(std::move(handle), listener, from_socket_address(name), now);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            ++books_.closed[static_cast<std::size_t>(reason::no_descriptors)];
            watch_listeners(false);
            listening_again_ = now + pause_without_descriptors;
        }
        if (errno != ECONNABORTED) return;
    }
}

void stream_sockets::begin(file_descriptor handle, std::uint32_t listener, const transport_address& client,
                           time_point now) try {
    if (const auto refused = budget_.admit(client)) {
        ++books_.closed[static_cast<std::size_t>(*refused)];
        return;
    }
    connection_place place(budget_, client);
    const std::uint32_t index = next_index();
    if (!watch_new(handle.number(), index)) throw std::bad_alloc();
    place.take_over();
    free_.pop_back();
    configure(handle.number());
    connection& c = connections_[index];
    c.handle = std::move(handle);
    c.client = client;
    c.listener = listener;
    c.since = now;
    ++books_.without_allocation;
    reschedule(index);
} catch (const std::bad_alloc&) {
    ++books_.closed[static_cast<std::size_t>(reason::out_of_memory)];
}

/// Room for turns of everybody: who is ready, and whose messages have come already.
void stream_sockets::reserve_turns(std::size_t connections) {
    const std::size_t most = 2 * connections + listeners_.size() + 1;
    if (turns_.capacity() < most) turns_.reserve(2 * most);
}

std::uint32_t stream_sockets::next_index() {
    if (free_.empty()) {
        // Whatever the end of a connection needs is there from its beginning.
        const std::size_t count = connections_.size() + 1;
        for (auto* list : {&free_, &resting_, &backlog_})
            if (list->capacity() < count) list->reserve(2 * count);
        reserve_turns(count);
        for (auto* list : {&gone_, &reported_})
            if (list->capacity() < count) list->reserve(2 * count);
        deadlines_.reserve(static_cast<deadline_queue::id>(connections_.size()));
        connections_.emplace_back();
        free_.push_back(static_cast<std::uint32_t>(connections_.size() - 1));
    }
    deadlines_.reserve(free_.back());
    return free_.back();
}

bool stream_sockets::watch_new(int descriptor, std::uint32_t index) noexcept {
    return epoll_add(set_, descriptor, index | token_bits);
}

/// Takes a connection from here, unless by its end: it is in no budget and in no books then.
client_connection stream_sockets::extract(std::uint32_t index) {
    connection& c = connections_[index];
    client_connection taken{.unsent = c.out.take_out(c.tls.get(), books_)};
    ::epoll_ctl(set_, EPOLL_CTL_DEL, c.handle.number(), nullptr);
    taken.handle = std::move(c.handle);
    taken.tls = std::move(c.tls);
    taken.unread = std::move(c.partial);
    books_.connections[static_cast<std::size_t>(c.protocol)].subtract(1);
    if (!c.claimed) books_.without_allocation.subtract(1);
    deadlines_.remove(index);
    forget_turns(index);
    resting_.push_back(index);
    c = {};
    return taken;
}

std::optional<client_connection> stream_sockets::take_out(socket_id id) {
    const connection* const c = find(id);
    if (c == nullptr) return std::nullopt;
    const std::size_t request = c->held;
    if (!c->claimed) budget_.leave(c->client);
    client_connection taken = extract(static_cast<std::uint32_t>(index_of(id)));
    taken.unread.erase(taken.unread.begin(), taken.unread.begin() + static_cast<std::ptrdiff_t>(request));
    return taken;
}

std::optional<stream_sockets::traveller> stream_sockets::send_away(socket_id id) {
    const connection* const c = find(id);
    if (c == nullptr) return std::nullopt;
    traveller t{.listener = c->listener, .protocol = c->protocol, .place = connection_place(budget_, c->client)};
    t.connection = extract(static_cast<std::uint32_t>(index_of(id)));
    return t;
}

void stream_sockets::take_in(traveller&& t, time_point now) try {
    const std::uint32_t index = next_index();
    if (!watch_new(t.connection.handle.number(), index)) throw std::bad_alloc();
    free_.pop_back();
    connection& c = connections_[index];
    c.handle = std::move(t.connection.handle);
    c.client = t.place.source();
    c.listener = t.listener;
    c.protocol = t.protocol;
    c.sniffed = c.shaken = true;
    c.since = now;
    c.tls = std::move(t.connection.tls);
    c.partial = std::move(t.connection.unread);
    c.out.own_bytes() = std::move(t.connection.unsent);
    c.writable_wanted = !c.out.own_bytes().empty();
    c.backlog = true;
    backlog_.push_back(index);
    t.place.take_over();
    ++books_.connections[static_cast<std::size_t>(c.protocol)];
    ++books_.without_allocation;
    watch(index);
    reschedule(index);
} catch (const std::bad_alloc&) {
    ++books_.closed[static_cast<std::size_t>(reason::out_of_memory)];
}

void stream_sockets::forget_turns(std::uint32_t index) noexcept {
    for (std::size_t i = next_turn_; i < turns_.size(); ++i)
        if (turns_[i].data == index) turns_[i].events = 0; // not for whoever gets the index next
}

void stream_sockets::end(std::uint32_t index, reason why) {
    connection& c = connections_[index];
    if (!c.handle) return;
    if (c.tls != nullptr && c.shaken && c.tls->now() == tls_session::state::open) {
        c.tls->close(c.out.own_bytes());
        c.out.say(c.handle.number(), books_); // if it can go at once
    }
    c.out.abandon(reason::socket_closed, books_);
    if (why != reason::none) ++books_.closed[static_cast<std::size_t>(why)];
    if (c.sniffed) books_.connections[static_cast<std::size_t>(c.protocol)].subtract(1);
    if (!c.claimed) {
        budget_.leave(c.client);
        books_.without_allocation.subtract(1);
    }
    deadlines_.remove(index);
    forget_turns(index);
    if (c.known)
        gone_.push_back({stream_id(index), c.client});
    else
        resting_.push_back(index);
    c = {};
}

void stream_sockets::reschedule(std::uint32_t index) {
    const connection& c = connections_[index];
    if (c.claimed) return deadlines_.remove(index);
    deadlines_.set(index, c.since + (c.known ? options_.idle : options_.handshake));
}

void stream_sockets::claim(socket_id id, bool by_allocation, time_point now) {
    connection* const c = find(id);
    if (c == nullptr || c->claimed == by_allocation) return;
    c->claimed = by_allocation;
    c->since = now;
    if (by_allocation) {
        budget_.leave(c->client);
        books_.without_allocation.subtract(1);
    } else {
        budget_.readmit(c->client);
        ++books_.without_allocation;
    }
    reschedule(static_cast<std::uint32_t>(index_of(id)));
}

void stream_sockets::close(socket_id id, reason why) {
    if (find(id) != nullptr) end(static_cast<std::uint32_t>(index_of(id)), why);
}

void stream_sockets::close_all() {
    for (std::uint32_t i = 0; i < connections_.size(); ++i) end(i, reason::none);
}

void stream_sockets::tick(time_point now) {
    if (listening_again_ <= now) {
        listening_again_ = time_point::max();
        watch_listeners(true);
    }
    while (deadlines_.next() <= now) {
        const connection& c = connections_[deadlines_.front()];
        const bool shaking = c.tls != nullptr && !c.shaken;
        end(deadlines_.front(), shaking ? reason::handshake_timeout : reason::connection_idle);
    }
}

time_point stream_sockets::next_deadline() const noexcept {
    return std::min(deadlines_.next(), listening_again_);
}

stream_sockets::connection* stream_sockets::find(socket_id id) noexcept {
    const std::size_t i = index_of(id);
    return is_stream(id) && i < connections_.size() && connections_[i].handle ? &connections_[i] : nullptr;
}

} // namespace turn::net
