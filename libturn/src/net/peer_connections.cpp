#include "net/peer_connections.hpp"

#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "net/epoll.hpp"
#include "net/socket_address.hpp"
#include "net/socket_option.hpp"

namespace turn::net {

namespace {

using namespace std::chrono_literals;

constexpr int waiting_to_be_accepted = 64;
constexpr int accepts_a_turn = 16;
constexpr std::size_t events_a_round = 64;
constexpr std::size_t effort_a_turn = 1'048'576;  ///< bytes that one connection may splice each way
constexpr std::size_t effort_a_round = 4'194'304; ///< all together, before datagrams have their turn
constexpr auto pause_without_descriptors = 100ms;
/// When a connection says nothing, the kernel asks whether its other end is still there: RFC 6062, 4.6.
constexpr auto ask_after = 60s;

// In epoll's data, above an index: what the descriptor is.
constexpr std::uint32_t kind_shift = 30;
constexpr std::uint32_t peers_socket = 0, clients_socket = 1, listening_socket = 2;
constexpr std::uint32_t event_data(std::uint32_t kind, std::uint32_t index) noexcept {
    return kind << kind_shift | index;
}
constexpr std::uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/// Not worth refusing a connection for.
void configure(int descriptor) noexcept {
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(ask_after / 1s));
}

/// Limits that are right for answers and media are none for a stream: a reader that pauses must not be given up.
void unlimit(int descriptor) noexcept {
    set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
    set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0);
}

void block_broken_pipe_signal() noexcept {
    thread_local const bool blocked = [] {
        sigset_t broken_pipe;
        ::sigemptyset(&broken_pipe);
        ::sigaddset(&broken_pipe, SIGPIPE);
        return ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr) == 0;
    }();
    static_cast<void>(blocked);
}

/// Bound to a relayed transport address beside its listener; null with the cause in errno.
file_descriptor open_beside(const transport_address& local) noexcept {
    file_descriptor opened(
        ::socket(kernel_family(local.family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    socket_address name{};
    const socklen_t size = to_socket_address(local, name);
    const int d = opened.number();
    const bool ok = opened && set_option(d, SOL_SOCKET, SO_REUSEADDR, 1) &&
                    set_option(d, SOL_SOCKET, SO_REUSEPORT, 1) &&
                    (local.is_ipv4() || set_option(d, IPPROTO_IPV6, IPV6_V6ONLY, 1)) && ::bind(d, &name.any, size) == 0;
    if (!ok) opened.reset();
    return opened;
}

} // namespace

peer_connections::peer_connections(const peer_connection_options& options, file_descriptor epoll)
    : options_(options), epoll_(std::move(epoll)), room_(options.most_pipes, books_),
      bandwidth_(options.bandwidth_per_allocation), ready_(events_a_round) {}

peer_connections::~peer_connections() = default;

result<std::unique_ptr<peer_connections>> peer_connections::make(const peer_connection_options& options) {
    file_descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return errc::io;
    return std::unique_ptr<peer_connections>(new peer_connections(options, std::move(epoll)));
}

// --- relayed transport addresses -------------------------------------------------------------------------------------

/// Without SO_REUSEPORT, so that the address is nobody else's; listen() adds it, for connections from the same address.
result<file_descriptor> peer_connections::bind(const transport_address& local) noexcept {
    file_descriptor opened(
        ::socket(kernel_family(local.family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    socket_address name{};
    const socklen_t size = to_socket_address(local, name);
    const int d = opened.number();
    const bool ok = opened && set_option(d, SOL_SOCKET, SO_REUSEADDR, 1) && // connections of earlier relays may linger
                    (local.is_ipv4() || set_option(d, IPPROTO_IPV6, IPV6_V6ONLY, 1)) && ::bind(d, &name.any, size) == 0;
    if (!ok) return errc::io;
    return opened;
}

result<socket_id> peer_connections::listen(file_descriptor bound) {
    const auto local = bound_address(bound.number());
    if (!local) return local.error();
    if (free_listeners_.empty()) {
        free_listeners_.reserve(listeners_.size() + 1); // so that closing cannot fail
        listeners_.emplace_back();
        free_listeners_.push_back(static_cast<std::uint32_t>(listeners_.size() - 1));
    }
    const std::uint32_t index = free_listeners_.back();
    if (!set_option(bound.number(), SOL_SOCKET, SO_REUSEPORT, 1) ||
        ::listen(bound.number(), waiting_to_be_accepted) != 0 ||
        !watch(bound.number(), event_data(listening_socket, index), EPOLLIN))
        return errc::io;
    free_listeners_.pop_back();
    listeners_[index] = {std::move(bound), *local};
    return make_socket_id(socket_kind::tcp_relay, index);
}

transport_address peer_connections::local_address(socket_id relay) const noexcept {
    const listening* const l = find(relay);
    return l == nullptr ? transport_address() : l->local;
}

void peer_connections::close(socket_id relay) noexcept {
    if (find(relay) == nullptr) return;
    const auto index = static_cast<std::uint32_t>(index_of(relay));
    listeners_[index].handle.reset();
    free_listeners_.push_back(index);
}

/// Without descriptors accept() fails while the listener stays readable: epoll would spin.
void peer_connections::watch_listeners(bool on) noexcept {
    for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
        if (!listeners_[i].handle) continue;
        epoll_event event{};
        event.events = on ? EPOLLIN : 0U;
        event.data.u32 = event_data(listening_socket, i);
        ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, listeners_[i].handle.number(), &event);
    }
}

void peer_connections::accept_some(std::uint32_t listener, time_point now) {
    if (!listeners_[listener].handle) return; // closed since epoll spoke
    const socket_id relay = make_socket_id(socket_kind::tcp_relay, listener);
    for (int i = 0; i < accepts_a_turn; ++i) {
        socket_address name{};
        socklen_t size = sizeof name;
        file_descriptor handle(
            ::accept4(listeners_[listener].handle.number(), &name.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (handle) {
            const auto made = add(std::move(handle), stage::established);
            if (!made) {
                ++books_.closed[static_cast<std::size_t>(made.error())];
                continue;
            }
            ++books_.accepted;
            come_.push_back({peer_connection{*made}, relay, from_socket_address(name)});
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

// --- connections come and go -----------------------------------------------------------------------------------------

result<peer_connection> peer_connections::connect(socket_id relay, const transport_address& peer, time_point now) {
    const listening* const from = find(relay);
    if (from == nullptr) return errc::not_found;
    file_descriptor handle = open_beside(from->local);
    if (!handle) return errc::io;
    socket_address name{};
    const socklen_t size = to_socket_address(peer, name);
    const int begun = ::connect(handle.number(), &name.any, size);
    const int error = begun == 0 || errno == EINPROGRESS ? 0 : errno;
    const auto made = add(std::move(handle), error == 0 ? stage::connecting : stage::failing);
    if (!made) return errc::no_capacity;
    const std::uint32_t index = *made;
    if (error != 0) {
        connections_[index].error = error;
        queue(index);
    } else {
        deadlines_.set(index, now + options_.connect);
    }
    return peer_connection{index};
}

/// Takes a socket into the table and into epoll.
result<std::uint32_t, reason> peer_connections::add(file_descriptor handle, stage now) try {
    if (free_.empty()) {
        const std::size_t count = connections_.size() + 1;
        if (count > options_.most) return reason::connections_full;
        // Whatever the end of a connection needs is there from its beginning.
        for (auto* list : {&free_, &resting_})
            if (list->capacity() < count) list->reserve(2 * count);
        if (turns_.capacity() < 2 * count) turns_.reserve(4 * count); // those served, and those queued again since
        if (opened_.capacity() < count) opened_.reserve(2 * count);
        if (refused_.capacity() < count) refused_.reserve(2 * count);
        if (come_.capacity() < count) come_.reserve(2 * count);
        if (gone_.capacity() < count) gone_.reserve(2 * count);
        deadlines_.reserve(static_cast<deadline_queue::id>(connections_.size()));
        connections_.emplace_back();
        free_.push_back(static_cast<std::uint32_t>(connections_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    deadlines_.reserve(index);
    if (now != stage::failing && !watch(handle.number(), event_data(peers_socket, index), edges))
        return reason::no_descriptors;
    configure(handle.number());
    free_.pop_back();
    connection& c = connections_[index];
    c.now = now;
    c.error = 0;
    c.heard = 0;
    c.handle = std::move(handle);
    ++books_.connections;
    return index;
} catch (const std::bad_alloc&) {
    return reason::out_of_memory;
}

bool peer_connections::join(peer_connection id, client_connection client, const allocation_place& of) {
    connection* const c = find(id);
    if (c == nullptr || c->now != stage::established) return false;
    const auto index = static_cast<std::uint32_t>(id);
    const int client_socket = client.handle.number();
    configure(client_socket);
    unlimit(client_socket);
    bandwidth_.enter(index, of);
    c->spliced = std::make_unique<splice>(std::move(client), std::move(c->handle));
    c->now = stage::joined;
    c->broken = false;
    c->held_back = 0;
    ++books_.joined;
    deadlines_.remove(index);
    if (!watch(client_socket, event_data(clients_socket, index), edges)) {
        c->error = errno;
        c->now = stage::ending;
    }
    queue(index); // epoll has spoken of the peer already
    return true;
}

void peer_connections::close(peer_connection id) noexcept {
    if (find(id) != nullptr) release(static_cast<std::uint32_t>(id));
}

peer_traffic peer_connections::traffic_of(peer_connection id) const noexcept {
    const auto i = static_cast<std::size_t>(id);
    if (i >= connections_.size() || !connections_[i].spliced) return {};
    const auto& bytes = connections_[i].spliced->delivered();
    return {bytes[0], bytes[1], connections_[i].held_back};
}

void peer_connections::limit_bandwidth(std::uint64_t bits_per_second, time_point now) noexcept {
    for (const std::uint32_t index : bandwidth_.set(bits_per_second, now)) queue(index);
}

void peer_connections::release(std::uint32_t index) noexcept {
    connection& c = connections_[index];
    books_.connections.subtract(1);
    if (c.now != stage::connecting && c.now != stage::failing) ++books_.ended;
    if (c.spliced) {
        books_.joined.subtract(1);
        c.spliced->abandon(room_, books_);
        c.spliced.reset();
    }
    c.handle.reset();
    c.now = stage::none; // it may still be in turns_, where whoever has the index next is served early
    deadlines_.remove(index);
    bandwidth_.leave(index);
    resting_.push_back(index);
}

void peer_connections::tick(time_point now) noexcept {
    if (listening_again_ <= now) {
        listening_again_ = time_point::max();
        watch_listeners(true);
    }
    while (deadlines_.next() <= now) {
        const std::uint32_t index = deadlines_.front();
        connection& c = connections_[index];
        deadlines_.remove(index);
        c.error = ETIMEDOUT;
        if (c.now == stage::connecting) {
            c.now = stage::failing;
        } else {
            c.now = stage::ending;
            ++books_.closed[static_cast<std::size_t>(reason::connection_idle)];
        }
        queue(index);
    }
    for (const std::uint32_t index : bandwidth_.tick(now)) queue(index);
}

time_point peer_connections::next_deadline() const noexcept {
    return std::min({deadlines_.next(), bandwidth_.next_deadline(), listening_again_});
}

// --- turns -----------------------------------------------------------------------------------------------------------

peer_connections::arrivals peer_connections::receive(time_point now) {
    block_broken_pipe_signal();
    free_.insert(free_.end(), resting_.begin(), resting_.end());
    resting_.clear();
    opened_.clear();
    refused_.clear();
    come_.clear();
    gone_.clear();
    turns_.erase(turns_.begin(), turns_.begin() + static_cast<std::ptrdiff_t>(next_turn_));
    next_turn_ = 0;

    const int n = ::epoll_wait(epoll_.number(), ready_.data(), static_cast<int>(ready_.size()), 0);
    for (int i = 0; i < n; ++i) hear(ready_[static_cast<std::size_t>(i)], now);
    effort_left_ = effort_a_round;
    // Who wants another turn gets it after the others, and after datagrams.
    for (const std::size_t end = turns_.size(); next_turn_ < end && effort_left_ != 0;) {
        const std::uint32_t index = turns_[next_turn_++];
        connections_[index].waits_for_turn = false;
        serve(index, now);
    }
    return {opened_, refused_, come_, gone_};
}

void peer_connections::hear(const epoll_event& event, time_point now) {
    const std::uint32_t kind = event.data.u32 >> kind_shift;
    const std::uint32_t index = event.data.u32 & ((1U << kind_shift) - 1);
    if (kind == listening_socket) return accept_some(index, now);
    connection& c = connections_[index];
    if (c.spliced)
        c.spliced->ready(kind == clients_socket ? splice::side::client : splice::side::peer, event.events);
    else
        c.heard |= event.events;
    if (c.now != stage::none) queue(index);
}

void peer_connections::queue(std::uint32_t index) noexcept {
    if (std::exchange(connections_[index].waits_for_turn, true)) return;
    turns_.push_back(index);
}

void peer_connections::serve(std::uint32_t index, time_point now) {
    connection& c = connections_[index];
    switch (c.now) {
    case stage::none:
        return;
    case stage::connecting:
        return serve_connecting(index);
    case stage::failing:
        return report_failed(index, c.error);
    case stage::established:
        return serve_established(index);
    case stage::joined:
        return serve_joined(index, now);
    case stage::ending:
        return report_ended(index, c.error);
    }
}

void peer_connections::serve_connecting(std::uint32_t index) {
    connection& c = connections_[index];
    if ((c.heard & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    if (const int error = take_error(c.handle.number()); error != 0) return report_failed(index, error);
    c.now = stage::established;
    deadlines_.remove(index);
    ++books_.connected;
    opened_.push_back({peer_connection{index}});
}

/// What the peer has said stays, whatever became of it; a peer that only will not say more may still want to hear.
void peer_connections::serve_established(std::uint32_t index) {
    const connection& c = connections_[index];
    if ((c.heard & (EPOLLERR | EPOLLHUP)) == 0) return;
    std::byte first{};
    const ssize_t n = ::recv(c.handle.number(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0) report_ended(index, n < 0 ? errno : 0);
}

void peer_connections::serve_joined(std::uint32_t index, time_point now) {
    connection& c = connections_[index];
    splice& s = *c.spliced;
    splice::state state{};
    const std::uint64_t before = s.delivered()[0] + s.delivered()[1];
    const bool limited = !bandwidth_.unlimited();
    try {
        state = s.go_on(room_, std::min(effort_a_turn, effort_left_),
                        limited ? bandwidth_.left_for(index, now) : shared_bandwidth::everything, books_);
        if (limited) pay(index, now);
    } catch (const std::bad_alloc&) {
        ++books_.closed[static_cast<std::size_t>(reason::out_of_memory)];
        return report_ended(index, ENOMEM);
    }
    const std::uint64_t moved = s.delivered()[0] + s.delivered()[1] - before;
    effort_left_ -= std::min<std::uint64_t>(effort_left_, moved);
    if (state == splice::state::over) {
        if (s.malformed()) ++books_.closed[static_cast<std::size_t>(reason::malformed)];
        return report_ended(index, s.error());
    }
    set_deadline(index, moved != 0, now);
    if (state == splice::state::busy) queue(index);
}

void peer_connections::pay(std::uint32_t index, time_point now) {
    connection& c = connections_[index];
    bandwidth_.take(index, c.spliced->taken(), now);
    for (const direction d : {direction::up, direction::down}) {
        if (!c.spliced->held_back(d) || !bandwidth_.wait(index, d)) continue;
        ++books_.held_back[static_cast<std::size_t>(d)];
        ++c.held_back;
    }
}

/// For those who finish, or break, while the other side does nothing; who waits for bandwidth does not do nothing.
void peer_connections::set_deadline(std::uint32_t index, bool delivered, time_point now) noexcept {
    connection& c = connections_[index];
    const splice& s = *c.spliced;
    if (s.held_back(direction::up) || s.held_back(direction::down)) {
        deadlines_.remove(index);
        c.broken = false;
    } else if (s.broken()) {
        if (!std::exchange(c.broken, true) || delivered) deadlines_.set(index, now + options_.broken);
    } else if (s.half_closed()) {
        deadlines_.set(index, now + options_.half_closed);
    }
}

void peer_connections::report_failed(std::uint32_t index, int error) {
    refused_.push_back({peer_connection{index}, error});
    ++books_.failed;
    release(index);
}

void peer_connections::report_ended(std::uint32_t index, int error) {
    gone_.push_back({peer_connection{index}, traffic_of(peer_connection{index}), error});
    release(index);
}

// --- tables ----------------------------------------------------------------------------------------------------------

peer_connections::connection* peer_connections::find(peer_connection id) noexcept {
    const auto i = static_cast<std::size_t>(id);
    return i < connections_.size() && connections_[i].now != stage::none ? &connections_[i] : nullptr;
}

const peer_connections::listening* peer_connections::find(socket_id relay) const noexcept {
    const std::size_t i = index_of(relay);
    return kind_of(relay) == socket_kind::tcp_relay && i < listeners_.size() && listeners_[i].handle ? &listeners_[i]
                                                                                                     : nullptr;
}

bool peer_connections::watch(int descriptor, std::uint32_t data, std::uint32_t events) noexcept {
    return epoll_add(epoll_.number(), descriptor, data, events);
}

} // namespace turn::net
