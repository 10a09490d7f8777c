/// Bytes in, messages out; messages in, bytes out.

#include "net/stream_sockets.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "net/stream_framer.hpp"

namespace turn::net {

namespace {

constexpr std::size_t bytes_a_turn = 65'536;  ///< read from one connection before the next has its turn
constexpr std::size_t arena_size = 1'048'576; ///< of one round; touched only as far as it is used
constexpr std::size_t messages_a_round = 1024;
constexpr std::size_t least_share = 64; ///< messages of one turn when many connections want theirs
constexpr std::size_t events_a_round = 64;
/// Nobody without an allocation needs larger messages.
constexpr std::size_t largest_without_allocation = 4096;
/// A TLS handshake begins with it, a STUN message never: RFC 7983.
constexpr std::byte tls_handshake{22};

/// What recv() returned says: not now, but the connection is there.
bool nothing_came(ssize_t n) noexcept {
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

constexpr std::size_t index(direction way) noexcept {
    return static_cast<std::size_t>(way);
}

} // namespace

stream_sockets::stream_sockets(const stream_options& options, connection_budget& budget, file_descriptor epoll,
                               int shared_set)
    : options_(options), budget_(budget), epoll_(std::move(epoll)), set_(epoll_ ? epoll_.number() : shared_set),
      arena_(arena_size), ciphertext_(bytes_a_turn), events_(events_a_round) {
    ready_.reserve(events_a_round);
    turns_.reserve(events_a_round);
    come_.reserve(messages_a_round);
    packets_.reserve(messages_a_round);
    next_message_.reserve(messages_a_round);
    touched_.reserve(messages_a_round);
    for_one_.reserve(messages_a_round);
}

result<std::unique_ptr<stream_sockets>> stream_sockets::make(const stream_options& options, connection_budget& budget,
                                                             int shared_set) {
    file_descriptor epoll(shared_set < 0 ? ::epoll_create1(EPOLL_CLOEXEC) : -1);
    if (!epoll && shared_set < 0) return errc::io;
    return std::unique_ptr<stream_sockets>(new stream_sockets(options, budget, std::move(epoll), shared_set));
}

stream_sockets::~stream_sockets() {
    close_all();
}

// --- in --------------------------------------------------------------------------------------------------------------

stream_sockets::arrivals stream_sockets::receive(time_point now, std::span<const readiness> shared) {
    free_.insert(free_.end(), resting_.begin(), resting_.end());
    resting_.clear();
    for (const closed& c : reported_) free_.push_back(static_cast<std::uint32_t>(index_of(c.id)));
    reported_.clear();
    come_.clear();
    packets_.clear();
    arena_used_ = 0;

    for (bool asked = false;;) {
        if (next_turn_ == turns_.size() && (std::exchange(asked, true) || !find_turns(epoll_ ? ask_epoll() : shared)))
            break;
        if (!take_turn(turns_[next_turn_], now)) break;
        ++next_turn_;
    }
    std::swap(reported_, gone_);
    return {come_, packets_, reported_};
}

std::span<const readiness> stream_sockets::ask_epoll() noexcept {
    ready_.clear();
    const int n = ::epoll_wait(epoll_.number(), events_.data(), static_cast<int>(events_.size()), 0);
    for (int i = 0; i < n; ++i) {
        const auto [events, data] = events_[static_cast<std::size_t>(i)];
        ready_.push_back({data.u32, events});
    }
    return ready_;
}

/// Everybody who has something to say gets one turn before anybody gets the next: epoll alone, asked again and again,
/// would name those first who filled the last round.
bool stream_sockets::find_turns(std::span<const readiness> ready) noexcept {
    turns_.clear();
    next_turn_ = 0;
    for (const std::uint32_t index : backlog_) turns_.push_back({index, 0});
    backlog_.clear();
    for (const readiness& r : ready)
        if (turns_.size() < turns_.capacity()) turns_.push_back({r.token & ~token_bits, r.events});
    return !turns_.empty();
}

/// False when the round is full: then the turn is still to be taken, first in the next round.
bool stream_sockets::take_turn(turn t, time_point now) {
    if ((t.data & listener_bit) != 0) {
        accept_some(t.data & ~listener_bit, now);
        return true;
    }
    connection& c = connections_[t.data];
    if (!c.handle) return true; // ended since epoll spoke
    try {
        if ((t.events & EPOLLOUT) != 0) {
            after_write(t.data, c.out.flush(target_of(c), now, options_.queue, books_));
            if (!c.handle) return true;
        }
        if (c.held != 0 && (t.events & (EPOLLHUP | EPOLLERR)) != 0) {
            end(t.data, reason::none);
            return true;
        }
        const bool readable = (t.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && c.held == 0;
        const bool due = t.events == 0 ? c.backlog : readable && !c.backlog; // what has come already comes first
        if (!due) return true;
        if (room_for(c).empty()) return false;
        if (c.backlog)
            read_backlog(t.data, now);
        else if (sniff(t.data)) {
            ++books_.receive_calls;
            if (c.tls != nullptr)
                read_tls(t.data, now);
            else
                read_plain(t.data, now);
        }
    } catch (const std::bad_alloc&) {
        end(t.data, reason::out_of_memory);
    }
    return true;
}

/// How many messages the connection whose turn it is may hand over: many small ones take more than one turn.
std::size_t stream_sockets::share() const noexcept {
    return std::max(least_share, (messages_a_round - packets_.size()) / (turns_.size() - next_turn_));
}

void stream_sockets::read_backlog(std::uint32_t index, time_point now) {
    connection& c = connections_[index];
    c.backlog = false;
    if (c.held != 0) { // its ConnectionBind has been answered, and the connection is still here
        c.partial.erase(c.partial.begin(), c.partial.begin() + static_cast<std::ptrdiff_t>(c.held));
        c.held = 0;
        watch(index);
    }
    const auto room = room_for(c);
    std::copy(c.partial.begin(), c.partial.end(), room.begin());
    parse(index, room.first(c.partial.size()), now);
}

/// What is left of the round's arena, if that is enough for one turn of this connection.
std::span<std::byte> stream_sockets::room_for(const connection& c) noexcept {
    const auto room = std::span(arena_).subspan(arena_used_);
    const bool enough =
        packets_.size() < messages_a_round &&
        room.size() >= c.partial.size() + bytes_a_turn + (c.tls != nullptr ? tls_session::largest_record : 0);
    return enough ? room : std::span<std::byte>();
}

/// Finds out what the client speaks; false: not now.
bool stream_sockets::sniff(std::uint32_t index) {
    connection& c = connections_[index];
    if (c.sniffed) return true;
    const stream_kinds& kinds = listeners_[c.listener].kinds;
    bool tls = kinds.tls != nullptr;
    if (tls && kinds.tcp) {
        std::byte first{};
        const ssize_t n = ::recv(c.handle.number(), &first, 1, MSG_PEEK);
        if (nothing_came(n)) return false;
        if (n <= 0) {
            end(index, reason::none);
            return false;
        }
        tls = first == tls_handshake;
    }
    if (tls) c.tls = std::make_unique<tls_session>(*kinds.tls);
    c.sniffed = true;
    c.shaken = !tls;
    c.protocol = tls ? transport::tls : transport::tcp;
    ++books_.accepted[static_cast<std::size_t>(c.protocol)];
    ++books_.connections[static_cast<std::size_t>(c.protocol)];
    return true;
}

void stream_sockets::read_plain(std::uint32_t index, time_point now) {
    connection& c = connections_[index];
    const auto room = room_for(c);
    const std::size_t had = c.partial.size();
    const ssize_t n = ::recv(c.handle.number(), room.data() + had, bytes_a_turn, 0);
    if (nothing_came(n)) return;
    if (n <= 0) return end(index, reason::none); // it has closed, or was reset
    std::copy(c.partial.begin(), c.partial.end(), room.begin());
    parse(index, room.first(had + static_cast<std::size_t>(n)), now);
}

void stream_sockets::read_tls(std::uint32_t index, time_point now) {
    connection& c = connections_[index];
    const auto room = room_for(c);
    if (room.empty()) return; // sniff() has just found out that it needs more
    const ssize_t n = ::recv(c.handle.number(), ciphertext_.data(), ciphertext_.size(), 0);
    if (nothing_came(n)) return;
    if (n <= 0) return end(index, reason::none);

    const std::size_t had = c.partial.size();
    const std::size_t came =
        c.tls->receive(bytes(ciphertext_).first(static_cast<std::size_t>(n)), room.subspan(had), c.out.own_bytes());
    const auto state = c.tls->now();
    if (!c.shaken && c.tls->established()) {
        c.shaken = true;
        ++books_.handshakes;
    }
    after_write(index, c.out.flush(target_of(c), now, options_.queue, books_));
    if (!c.handle) return;
    if (came != 0) {
        std::copy(c.partial.begin(), c.partial.end(), room.begin());
        parse(index, room.first(had + came), now);
        if (!c.handle) return;
    }
    if (state == tls_session::state::closed && c.held == 0) return end(index, reason::none);
    if (state == tls_session::state::failed) end(index, c.shaken ? reason::malformed : reason::handshake_failed);
}

/// `received` begins with what was left of the last turn, and lies at the beginning of the arena's free room.
void stream_sockets::parse(std::uint32_t index, std::span<std::byte> received, time_point now) {
    connection& c = connections_[index];
    bytes rest = received;
    const std::size_t end_of_turn = std::min(messages_a_round, packets_.size() + share());
    while (packets_.size() < end_of_turn) {
        const frame f = next_frame(rest, c.claimed ? frame_rules{} : frame_rules{c.known, largest_without_allocation});
        if (f.what == frame::state::garbage) return end(index, reason::malformed);
        if (f.what == frame::state::incomplete) break;
        if (!c.known) {
            c.known = true;
            come_.push_back({stream_id(index), c.listener, c.protocol, c.client});
        }
        packets_.push_back({stream_id(index), c.client, f.message, 0});
        ++books_.received_frames;
        books_.received_bytes.add(f.message.size());
        if (f.binds && options_.data_connections && !c.claimed) {
            c.held = f.size;
            watch(index);
            break;
        }
        rest = rest.subspan(f.size);
    }
    if (!c.claimed &&
        (c.held != 0 || rest.size() < received.size())) { // RFC 8489, 6.2.2: who still asks has not timed out
        c.since = now;
        reschedule(index);
    }
    arena_used_ += received.size();
    if (c.held == 0 && !c.backlog && packets_.size() == end_of_turn && !rest.empty()) {
        c.backlog = true;
        backlog_.push_back(index);
    }
    if (rest.empty()) {
        if (c.partial.capacity() != 0) c.partial = {};
    } else {
        c.partial.assign(rest.begin(), rest.end());
    }
}

// --- out -------------------------------------------------------------------------------------------------------------

void stream_sockets::send(std::span<const datagram> messages, time_point now) {
    next_message_.assign(messages.size(), no_message);
    touched_.clear();
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const datagram& m = messages[i];
        if (!is_stream(m.via)) continue;
        connection* const c = find(m.via);
        if (c == nullptr) {
            ++books_.dropped[index(m.way)][static_cast<std::size_t>(reason::socket_closed)];
            continue;
        }
        if (c->first_message == no_message) {
            c->first_message = i;
            touched_.push_back(static_cast<std::uint32_t>(index_of(m.via)));
        } else {
            next_message_[c->last_message] = i;
        }
        c->last_message = i;
    }
    for (const std::uint32_t i : touched_) {
        connection& c = connections_[i];
        for_one_.clear();
        for (std::uint32_t m = c.first_message; m != no_message; m = next_message_[m]) for_one_.push_back(&messages[m]);
        c.first_message = c.last_message = no_message;
        if (c.held != 0 && !c.backlog) { // an answer: unless the connection is taken out, it goes on
            c.backlog = true;
            backlog_.push_back(i);
        }
        after_write(i, c.out.write(target_of(c), for_one_, now, options_.queue, books_));
    }
}

/// Follows what a write said: waits for the socket, or not any more, or ends the connection.
void stream_sockets::after_write(std::uint32_t index, stream_writer::outcome how) {
    connection& c = connections_[index];
    if (how == stream_writer::outcome::broken) return end(index, reason::none);
    if (how == stream_writer::outcome::stuck) return end(index, reason::slow_reader);
    const bool wanted = how == stream_writer::outcome::waiting;
    if (wanted == c.writable_wanted) return;
    c.writable_wanted = wanted;
    watch(index);
}

void stream_sockets::watch(std::uint32_t index) noexcept {
    const connection& c = connections_[index];
    epoll_event event{};
    if (c.held == 0) event.events |= EPOLLIN;
    if (c.writable_wanted) event.events |= EPOLLOUT;
    event.data.u32 = index | token_bits;
    ::epoll_ctl(set_, EPOLL_CTL_MOD, c.handle.number(), &event);
}

} // namespace turn::net
