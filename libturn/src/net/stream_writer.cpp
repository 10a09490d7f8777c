#include "net/stream_writer.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace turn::net {

namespace {

constexpr std::size_t messages_a_call = 256;   ///< each takes up to three of the kernel's 1024 places
constexpr std::size_t records_a_call = 65'536; ///< bytes of TLS records collected before they are written
/// Of unsent_. Media leaves half of it at most (records_a_call and one message); the rest is what TLS says by itself,
/// which a client that reads nothing can make grow: it asks for KeyUpdates, or for renegotiation, which is refused.
constexpr std::size_t unsent_limit = 262'144;
constexpr std::size_t kept_capacity = 16'384; ///< of an empty buffer; more is given back
constexpr std::array<std::byte, 4> zeros{};

constexpr std::size_t index(direction way) noexcept {
    return static_cast<std::size_t>(way);
}

void book_sent(const datagram& message, stream_counters& books) noexcept {
    ++books.sent_frames[index(message.way)];
    books.sent_bytes[index(message.way)].add(message.size());
}

/// How many bytes the kernel took; 0: none now; -1: the connection is gone.
ssize_t write_some(int descriptor, const iovec* parts, std::size_t count, stream_counters& books) noexcept {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    ++books.send_calls;
    const ssize_t n = ::sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS ? 0 : -1;
}

/// Appends what lies behind the first `skip` bytes of the message.
void append_rest(std::vector<std::byte>& to, const datagram& message, std::size_t skip) {
    for (const bytes part : {message.head, message.body, bytes(zeros).first(message.pad)}) {
        const std::size_t skipped = std::min(skip, part.size());
        skip -= skipped;
        to.insert(to.end(), part.begin() + static_cast<std::ptrdiff_t>(skipped), part.end());
    }
}

} // namespace

stream_writer::progress stream_writer::write_unsent(int descriptor, stream_counters& books) {
    if (unsent_from_ == unsent_.size()) return progress::all;
    const iovec rest{unsent_.data() + unsent_from_, unsent_.size() - unsent_from_};
    const ssize_t n = write_some(descriptor, &rest, 1, books);
    if (n < 0) return progress::broken;
    unsent_from_ += static_cast<std::size_t>(n);
    if (unsent_from_ < unsent_.size()) return progress::some;
    unsent_.clear();
    unsent_from_ = 0;
    if (unsent_.capacity() > kept_capacity) unsent_.shrink_to_fit();
    return progress::all;
}

template <class At>
std::size_t stream_writer::hand_over(target to, std::size_t count, const At& at, progress& state,
                                     stream_counters& books) {
    std::size_t done = 0;
    state = progress::all;
    while (done < count && state == progress::all) {
        if (to.tls != nullptr) {
            for (; done < count && unsent_.size() < records_a_call; ++done) {
                const datagram message = at(done);
                if (!to.tls->send(message, unsent_)) {
                    state = progress::broken;
                    return done;
                }
                book_sent(message, books);
            }
            state = write_unsent(to.descriptor, books);
            continue;
        }
        std::array<iovec, 3 * messages_a_call> parts;
        std::size_t used = 0;
        std::size_t total = 0;
        const std::size_t end = std::min(count, done + messages_a_call);
        for (std::size_t i = done; i < end; ++i) {
            const datagram message = at(i);
            total += message.size();
            for (const bytes part : {message.head, message.body, bytes(zeros).first(message.pad)})
                if (!part.empty()) parts[used++] = {const_cast<std::byte*>(part.data()), part.size()};
        }
        const ssize_t n = write_some(to.descriptor, parts.data(), used, books);
        if (n < 0) {
            state = progress::broken;
            return done;
        }
        auto left = static_cast<std::size_t>(n);
        if (left < total) state = progress::some;
        // A message that was cut is on its way: its rest goes first next time, and nothing can drop it any more.
        for (; done < end; ++done) {
            const datagram message = at(done);
            if (left < message.size()) {
                if (left == 0) break;
                append_rest(unsent_, message, left);
                book_sent(message, books);
                ++done;
                break;
            }
            left -= message.size();
            book_sent(message, books);
        }
    }
    return done;
}

stream_writer::outcome stream_writer::write(target to, std::span<const datagram* const> messages, time_point now,
                                            const queue_limits& limits, stream_counters& books) {
    std::size_t done = 0;
    progress state = queue_.empty() ? write_unsent(to.descriptor, books) : progress::some;
    if (state == progress::all)
        done = hand_over(
            to, messages.size(), [&](std::size_t i) { return *messages[i]; }, state, books);
    const bool broken = state == progress::broken;
    bool stuck = false;
    for (; done < messages.size(); ++done) {
        if (broken || stuck)
            ++books.dropped[index(messages[done]->way)][static_cast<std::size_t>(reason::socket_closed)];
        else
            stuck = !queue_.push(*messages[done], now, limits, books);
    }
    if (broken || stuck) return broken ? outcome::broken : outcome::stuck;
    return state == progress::all ? outcome::sent : outcome::waiting;
}

stream_writer::outcome stream_writer::flush(target to, time_point now, const queue_limits& limits,
                                            stream_counters& books) {
    progress state = write_unsent(to.descriptor, books);
    if (unsent_.size() > unsent_limit) return outcome::stuck;
    queue_.drop_old(now, limits, books);
    while (state == progress::all && !queue_.empty()) {
        const std::size_t done = hand_over(
            to, std::min(queue_.size(), messages_a_call), [&](std::size_t i) { return queue_[i]; }, state, books);
        for (std::size_t i = 0; i < done; ++i) queue_.pop(books);
    }
    if (state == progress::broken) return outcome::broken;
    return state == progress::all ? outcome::sent : outcome::waiting;
}

std::vector<std::byte> stream_writer::take_out(tls_session* tls, stream_counters& books) {
    std::vector<std::byte> waiting(unsent_.begin() + static_cast<std::ptrdiff_t>(unsent_from_), unsent_.end());
    for (; !queue_.empty(); queue_.pop(books)) {
        const datagram message = queue_[0];
        if (tls == nullptr)
            append_rest(waiting, message, 0);
        else if (!tls->send(message, waiting))
            break;
        book_sent(message, books);
    }
    abandon(reason::socket_closed, books);
    return waiting;
}

void stream_writer::abandon(reason why, stream_counters& books) {
    queue_.drop_all(why, books);
    unsent_ = {};
    unsent_from_ = 0;
}

} // namespace turn::net
