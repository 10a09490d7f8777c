#include "net/splice.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/socket_option.hpp"

namespace turn::net {

namespace {

/// A smaller pipe, which is what a user with many of them gets, costs more calls than copying does.
constexpr int least_pipe_size = 65'536;
/// What a byte costs that passes user space, in bytes that are spliced; TLS costs more, audio beside it does not care.
constexpr std::size_t price_of_copying = 4;
constexpr std::size_t framing = 1024; ///< more than what TLS adds to `at_once` bytes
/// Of what TLS says by itself to a client that reads nothing.
constexpr std::size_t most_held = 262'144;

bool not_now(int error) noexcept {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

constexpr std::size_t index(direction d) noexcept {
    return static_cast<std::size_t>(d);
}

} // namespace

// --- what connections share ------------------------------------------------------------------------------------------

splice_room::splice_room(std::size_t most_pipes, peer_connection_counters& books)
    : books_(books), most_(most_pipes), arriving_(at_once), plaintext_(at_once + tls_session::largest_record) {
    idle_.reserve(most_idle);
}

pipe_ends splice_room::take_pipe() noexcept {
    if (!idle_.empty()) {
        pipe_ends taken = std::move(idle_.back());
        idle_.pop_back();
        return taken;
    }
    std::array<int, 2> ends{};
    if (pipes_ == most_ || ::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return {};
    pipe_ends made{file_descriptor(ends[0]), file_descriptor(ends[1])};
    if (::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(pipe_size)) < 0 &&
        ::fcntl(ends[1], F_GETPIPE_SZ) < least_pipe_size)
        return {};
    ++pipes_;
    ++books_.pipes;
    return made;
}

void splice_room::give_back(pipe_ends empty) noexcept {
    if (idle_.size() == most_idle) return discard(std::move(empty));
    idle_.push_back(std::move(empty));
}

void splice_room::discard(pipe_ends unwanted) noexcept {
    if (!unwanted) return;
    --pipes_;
    books_.pipes.subtract(1);
}

// --- a pair ----------------------------------------------------------------------------------------------------------

splice::splice(client_connection client, file_descriptor peer)
    : pipelined_(client.unread.size()), tls_(std::move(client.tls)) {
    ends_[0].handle = std::move(client.handle);
    ends_[1].handle = std::move(peer);
    at(up).held = std::move(client.unread);
    at(down).held = std::move(client.unsent);
    at(up).source_over = tls_ && tls_->now() == tls_session::state::closed; // with what it said last in `unread`
}

splice::~splice() = default;

void splice::ready(side s, std::uint32_t events) noexcept {
    end& e = ends_[static_cast<std::size_t>(s)];
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) e.readable = true;
    if ((events & ~static_cast<std::uint32_t>(EPOLLIN | EPOLLRDHUP)) != 0) e.writable = true;
    // A reset. Where there is nothing more to be read or written this alone tells of it.
    if ((events & EPOLLERR) == 0) return;
    if (const int error = take_error(e.handle.number()); error != 0) sink_failed(s == side::client ? down : up, error);
}

splice::state splice::go_on(splice_room& room, std::size_t effort, const amount& most,
                            peer_connection_counters& books) {
    may_take_ = most;
    taken_ = {std::exchange(pipelined_, 0), 0};
    const bool more_up = move(up, room, effort, books);
    const bool more_down = move(down, room, effort, books); // also what TLS has to say since the client was read
    if (ways_[0].over && ways_[1].over) return state::over;
    if (broken() && (speaks_to_nobody(up) || speaks_to_nobody(down))) return state::over;
    return more_up || more_down ? state::busy : state::waiting;
}

/// Whose other side is gone, and who has got everything of it, and the end: to be closed on while talking costs them
/// nothing any more, and tells them.
bool splice::speaks_to_nobody(direction d) noexcept {
    if (!at(d).into_nothing || !at(d == up ? down : up).over) return false;
    int unacknowledged = 0;
    return ::ioctl(source(d).handle.number(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

/// Whether more could be done at once.
bool splice::move(direction d, splice_room& room, std::size_t effort, peer_connection_counters& books) {
    way& w = at(d);
    w.held_back = false;
    for (std::size_t spent = 0; !w.over;) {
        if (w.into_nothing) {
            lose(d, room, books);
        } else {
            if (!deliver_held(d, books) || !deliver_piped(d, room, books)) return false;
            if (w.into_nothing) continue; // since just now
        }
        if (w.source_over) {
            finish(d);
            continue;
        }
        // Who does not take anything is not read for either: the sender's window closes, and no pipe is held.
        if (!source(d).readable || (!w.into_nothing && !sink(d).writable)) return false;
        if (may_take_[index(d)] == 0 && !w.into_nothing) {
            w.held_back = true;
            return false;
        }
        if (spent >= effort) return true;
        spent += w.into_nothing ? throw_away(d, room, books) : take(d, room, books);
    }
    return false;
}

bool splice::deliver_held(direction d, peer_connection_counters& books) {
    way& w = at(d);
    if (w.held.empty()) return true;
    const std::size_t n = write(d, bytes(w.held).subspan(w.held_from));
    if (d == up) count(d, n, books); // down, it is TLS records, which were counted by what is in them
    w.held_from += n;
    if (w.held_from < w.held.size()) return w.into_nothing;
    w.held = {};
    w.held_from = 0;
    return true;
}

bool splice::deliver_piped(direction d, splice_room& room, peer_connection_counters& books) {
    way& w = at(d);
    while (w.in_pipe != 0 && sink(d).writable) {
        const ssize_t n = ::splice(w.through.out.number(), nullptr, sink(d).handle.number(), nullptr, w.in_pipe,
                                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0) {
            w.in_pipe -= static_cast<std::size_t>(n);
            count(d, static_cast<std::size_t>(n), books);
        } else if (n < 0 && not_now(errno)) {
            sink(d).writable = errno == EINTR;
        } else {
            sink_failed(d, n == 0 ? EPIPE : errno);
            return true;
        }
    }
    if (w.in_pipe != 0) return false;
    if (w.through) room.give_back(std::move(w.through));
    return true;
}

/// How much was done, in bytes of splicing.
std::size_t splice::take(direction d, splice_room& room, peer_connection_counters& books) {
    if (tls_) return price_of_copying * (d == up ? take_from_tls(room, books) : take_for_tls(room, books));
    pipe_ends through = room.take_pipe();
    if (!through) return price_of_copying * take_by_copy(d, room, books);
    const std::size_t n = take_by_pipe(d, through);
    if (n == 0)
        room.give_back(std::move(through));
    else
        at(d).through = std::move(through);
    return n;
}

std::size_t splice::take_by_pipe(direction d, pipe_ends& through) {
    const ssize_t n =
        ::splice(source(d).handle.number(), nullptr, through.in.number(), nullptr,
                 std::min(splice_room::pipe_size, may_take_[index(d)]), SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n <= 0) {
        nothing_taken(d, n);
        return 0;
    }
    at(d).in_pipe = static_cast<std::size_t>(n);
    take_away(d, at(d).in_pipe);
    return at(d).in_pipe;
}

/// What the sink does not take stays where it is.
std::size_t splice::take_by_copy(direction d, splice_room& room, peer_connection_counters& books) {
    const auto arriving = room.arriving().first(std::min(splice_room::at_once, may_take_[index(d)]));
    const std::size_t n = read(d, arriving, MSG_PEEK);
    const std::size_t written = write(d, arriving.first(n));
    take_away(d, written);
    count(d, written, books);
    books.copied_bytes.add(written);
    // TRUNC: thrown away without a copy. It is there, so nothing can go wrong.
    if (written != 0) static_cast<void>(read(d, arriving.first(written), MSG_TRUNC));
    return n;
}

std::size_t splice::take_from_tls(splice_room& room, peer_connection_counters& books) {
    // What is in a record is known when all of it is there: it may be more than may be taken, which is then owed.
    const std::size_t wanted = std::min(splice_room::at_once - framing, may_take_[index(up)]) + framing;
    const std::size_t n = read(up, room.arriving().first(wanted), 0);
    if (n == 0) return 0;
    way& back = at(down);
    const std::size_t came = tls_->receive(room.arriving().first(n), room.plaintext(), back.held);
    take_away(up, came);
    const std::size_t written = write(up, room.plaintext().first(came));
    count(up, written, books);
    books.copied_bytes.add(came);
    const auto rest = room.plaintext().subspan(written, came - written);
    at(up).held.assign(rest.begin(), rest.end());

    if (tls_->now() == tls_session::state::closed) at(up).source_over = true;
    if (tls_->now() == tls_session::state::failed || back.held.size() - back.held_from > most_held) {
        write(down, bytes(back.held).subspan(back.held_from)); // an alert, if it goes
        source_failed(up, EPROTO);
    }
    if (back.over) back.held = {}; // TLS speaks to nobody
    return n;
}

std::size_t splice::take_for_tls(splice_room& room, peer_connection_counters& books) {
    const std::size_t n = read(down, room.arriving().first(std::min(splice_room::at_once, may_take_[index(down)])), 0);
    if (n == 0) return 0;
    take_away(down, n);
    at(down).held.reserve(n + framing);
    if (!tls_->send({.body = room.arriving().first(n)}, at(down).held)) {
        source_failed(up, EPROTO);
        return n;
    }
    count(down, n, books);
    books.copied_bytes.add(n);
    return n;
}

std::size_t splice::throw_away(direction d, splice_room& room, peer_connection_counters& books) {
    const std::size_t n = read(d, room.arriving(), MSG_TRUNC);
    books.lost_bytes[index(d)].add(n);
    return n;
}

// --- one socket ------------------------------------------------------------------------------------------------------

std::size_t splice::read(direction d, std::span<std::byte> room, int flags) noexcept {
    const ssize_t n = ::recv(source(d).handle.number(), room.data(), room.size(), flags | MSG_DONTWAIT);
    if (n > 0) return static_cast<std::size_t>(n);
    nothing_taken(d, n);
    return 0;
}

/// `outcome` of a read is 0, or negative with the cause in errno.
void splice::nothing_taken(direction d, ssize_t outcome) noexcept {
    if (outcome == 0)
        at(d).source_over = true;
    else if (not_now(errno))
        source(d).readable = errno == EINTR;
    else
        source_failed(d, errno);
}

std::size_t splice::write(direction d, bytes data) noexcept {
    if (data.empty() || !sink(d).writable || at(d).into_nothing) return 0;
    const ssize_t n = ::send(sink(d).handle.number(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (not_now(errno))
        sink(d).writable = errno == EINTR;
    else
        sink_failed(d, errno);
    return 0;
}

/// Everything has been delivered: now the sink may know that nothing more will come.
void splice::finish(direction d) {
    way& w = at(d);
    if (!w.into_nothing) {
        if (d == down && tls_ && !std::exchange(said_goodbye_, true)) return tls_->close(w.held);
        ::shutdown(sink(d).handle.number(), SHUT_WR);
    }
    w.over = true;
}

/// A connection that broke hears nothing either.
void splice::source_failed(direction d, int error) noexcept {
    at(d).source_over = true;
    sink_failed(d == up ? down : up, error);
}

void splice::sink_failed(direction d, int error) noexcept {
    at(d).into_nothing = true;
    if (error_ == 0) error_ = error;
}

void splice::lose(direction d, splice_room& room, peer_connection_counters& books) noexcept {
    way& w = at(d);
    books.lost_bytes[index(d)].add(w.in_pipe + (d == up ? w.held.size() - w.held_from : 0));
    w.held = {};
    w.held_from = 0;
    room.discard(std::exchange(w.through, {}));
    w.in_pipe = 0;
}

void splice::abandon(splice_room& room, peer_connection_counters& books) noexcept {
    lose(up, room, books);
    lose(down, room, books);
}

/// From the source, and from what may be taken.
void splice::take_away(direction d, std::size_t n) noexcept {
    taken_[index(d)] += n;
    may_take_[index(d)] -= std::min(may_take_[index(d)], n);
}

void splice::count(direction d, std::size_t n, peer_connection_counters& books) noexcept {
    delivered_[index(d)] += n;
    books.relayed_bytes[index(d)].add(n);
}

} // namespace turn::net
