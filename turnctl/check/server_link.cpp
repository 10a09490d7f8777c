#include "turnctl/check/server_link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "net/socket_address.hpp"
#include "net/stream_framer.hpp"

namespace turnctl::check {
namespace {

using turn::bytes;
using turn::datagram;
using turn::time_point;
using turn::transport;
using kind = trouble::kind;

constexpr std::size_t largest_read = 65'536;

trouble from_errno(int error) {
    const std::string words = std::generic_category().message(error);
    switch (error) {
    case ECONNREFUSED:
        return {.what = kind::refused, .words = words};
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return {.what = kind::unreachable, .words = words};
    case ECONNRESET:
    case EPIPE:
        return {.what = kind::closed, .words = words};
    case ETIMEDOUT:
        return {.what = kind::silence, .words = words};
    default:
        return {.what = kind::system, .words = words};
    }
}

bool is_temporary(int error) noexcept {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

void append(std::vector<std::byte>& to, bytes data) {
    to.insert(to.end(), data.begin(), data.end());
}

} // namespace

server_link::server_link(turn::net::file_descriptor socket, const link_options& o)
    : options_(o), socket_(std::move(socket)), room_(largest_read) {}

server_link::result_of_open server_link::open(const link_options& o, time_point deadline) {
    const int type = (is_datagram(o.protocol) ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    turn::net::file_descriptor socket(::socket(turn::net::kernel_family(o.server.family), type, 0));
    if (!socket) return from_errno(errno);
    std::unique_ptr<server_link> link(new server_link(std::move(socket), o));
    if (auto failed = link->connect(deadline)) return std::move(*failed);
    if (o.protocol == transport::tls)
        if (auto failed = link->shake_hands(deadline)) return std::move(*failed);
    if (o.protocol == transport::dtls)
        if (auto failed = link->shake_hands_by_datagrams(deadline)) return std::move(*failed);
    return link;
}

/// UDP too: then the kernel tells what ICMP says, and datagrams of others do not reach us.
std::optional<trouble> server_link::connect(time_point deadline) {
    turn::net::socket_address to;
    const socklen_t size = turn::net::to_socket_address(options_.server, to);
    if (::connect(descriptor(), &to.any, size) == 0) return std::nullopt;
    if (errno != EINPROGRESS) return from_errno(errno);
    if (!wait(POLLOUT, deadline)) return trouble{.what = kind::silence};
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error != 0) return from_errno(error);
    return std::nullopt;
}

std::optional<trouble> server_link::shake_hands(time_point deadline) {
    tls_.emplace(options_.tls->new_session(options_.host));
    if (auto failed = take_ciphertext({})) return failed;
    while (!tls_->established()) {
        if (ended_) return trouble{.what = kind::closed, .words = "during the TLS handshake"};
        if (!wait(POLLIN, deadline)) return trouble{.what = kind::silence, .words = "during the TLS handshake"};
        if (auto failed = take_what_came()) return failed;
    }
    return std::nullopt;
}

/// Flights that are not answered go again, as often as there is time.
std::optional<trouble> server_link::shake_hands_by_datagrams(time_point deadline) {
    dtls_.emplace(options_.dtls->new_session(options_.host));
    if (auto failed = take_datagram({})) return failed;
    while (!dtls_->established()) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= deadline) return trouble{.what = kind::silence, .words = "during the DTLS handshake"};
        const auto left = dtls_->time_left();
        if (wait(POLLIN, left ? std::min(deadline, now + *left) : deadline)) {
            if (auto failed = take_what_came()) return failed;
        } else {
            dtls_->retransmit(row_);
            if (auto failed = write_row(deadline)) return failed;
        }
    }
    return std::nullopt;
}

turn::socket_id server_link::id() const noexcept {
    switch (options_.protocol) {
    case transport::udp:
        break;
    case transport::dtls:
        return turn::dtls_id(0);
    case transport::tcp:
    case transport::tls:
        return turn::stream_id(0);
    }
    return turn::socket_id{0};
}

turn::result<void, trouble> server_link::send(std::span<const datagram> messages, time_point deadline) {
    for (const datagram& m : messages) {
        std::vector<std::byte> wire;
        if (dtls_) {
            if (dtls_->now() != turn::net::dtls_session::state::open) return trouble{.what = kind::closed};
            if (!dtls_->send(m, row_)) return trouble{.what = kind::system, .words = "too long for a DTLS record"};
            if (auto failed = write_row(deadline)) return std::move(*failed);
            continue;
        }
        if (tls_) {
            if (tls_->now() != turn::net::tls_session::state::open) return trouble{.what = kind::closed};
            if (!tls_->send(m, wire)) return tls_trouble();
        } else {
            append(wire, m.head);
            append(wire, m.body);
            wire.resize(wire.size() + m.pad);
        }
        if (auto failed = write_all(wire, deadline)) return std::move(*failed);
    }
    return {};
}

std::optional<trouble> server_link::write_all(bytes data, time_point deadline) {
    while (!data.empty()) {
        const ssize_t n = ::send(descriptor(), data.data(), data.size(), MSG_NOSIGNAL);
        if (n >= 0) {
            data = data.subspan(static_cast<std::size_t>(n));
        } else if (!is_temporary(errno)) {
            return from_errno(errno);
        } else if (!wait(POLLOUT, deadline)) {
            return trouble{.what = kind::silence};
        }
    }
    return std::nullopt;
}

turn::result<std::span<const bytes>, trouble> server_link::receive(time_point until) {
    messages_.clear();
    datagrams_.clear();
    stream_.erase(stream_.begin(), stream_.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken_, 0)));
    if (!ended_ && wait(POLLIN, until))
        if (auto failed = take_what_came()) return std::move(*failed);
    if (auto failed = cut()) return std::move(*failed);
    if (messages_.empty() && ended_) return trouble{.what = kind::closed};
    return std::span<const bytes>(messages_);
}

/// Until there is no more, or as much as one round may take.
std::optional<trouble> server_link::take_what_came() {
    constexpr int reads_a_round = 16;
    for (int i = 0; i < reads_a_round; ++i) {
        const ssize_t n = ::recv(descriptor(), room_.data(), room_.size(), 0);
        if (n < 0) return is_temporary(errno) ? std::nullopt : std::optional(from_errno(errno));
        const bytes came = bytes(room_).first(static_cast<std::size_t>(n));
        if (dtls_) {
            if (auto failed = take_datagram(came)) return failed;
            continue;
        }
        if (options_.protocol == transport::udp) {
            datagrams_.emplace_back(came.begin(), came.end());
            continue;
        }
        ended_ = came.empty();
        if (ended_) return std::nullopt;
        if (!tls_) {
            append(stream_, came);
        } else if (auto failed = take_ciphertext(came)) {
            return failed;
        }
    }
    return std::nullopt;
}

std::optional<trouble> server_link::take_ciphertext(bytes ciphertext) {
    using state = turn::net::tls_session::state;
    std::vector<std::byte> plaintext(ciphertext.size() + turn::net::tls_session::largest_record), answer;
    plaintext.resize(tls_->receive(ciphertext, plaintext, answer));
    append(stream_, plaintext);
    // An alert on the way out of a failed handshake is a courtesy: the failure is what counts.
    auto unsent = write_all(answer, std::chrono::steady_clock::now() + std::chrono::seconds(1));
    if (tls_->now() == state::failed) return tls_trouble();
    if (tls_->now() == state::closed) ended_ = true;
    return unsent;
}

std::optional<trouble> server_link::take_datagram(bytes ciphertext) {
    using state = turn::net::dtls_session::state;
    std::vector<std::byte> plaintext(turn::net::dtls_session::largest_record);
    do {
        const bytes record = turn::net::take_record(ciphertext);
        const std::size_t came = dtls_->receive(record, plaintext, row_);
        if (came != 0)
            datagrams_.emplace_back(plaintext.begin(), plaintext.begin() + static_cast<std::ptrdiff_t>(came));
        if (record.empty()) break; // no more, or no DTLS
    } while (!ciphertext.empty());
    auto unsent = write_row(std::chrono::steady_clock::now() + std::chrono::seconds(1));
    if (dtls_->now() == state::failed) return tls_trouble(); // an alert on its way out is a courtesy
    if (dtls_->now() == state::closed) ended_ = true;
    return unsent;
}

std::optional<trouble> server_link::write_row(time_point deadline) {
    for (std::size_t i = 0; i < row_.size(); ++i)
        if (auto failed = write_all(row_[i], deadline)) return failed;
    row_.cut(0);
    return std::nullopt;
}

/// Messages of a stream, each as a view into stream_.
std::optional<trouble> server_link::cut() {
    for (const auto& d : datagrams_) messages_.emplace_back(d);
    if (is_datagram(options_.protocol)) return std::nullopt;
    for (;;) {
        const auto next = turn::net::next_frame(bytes(stream_).subspan(taken_), {});
        if (next.what == turn::net::frame::state::garbage) {
            const auto shown = bytes(stream_).subspan(taken_, std::min<std::size_t>(stream_.size() - taken_, 40));
            return trouble{.what = kind::garbage,
                           .words = std::string(reinterpret_cast<const char*>(shown.data()), shown.size())};
        }
        if (next.what == turn::net::frame::state::incomplete) return std::nullopt;
        messages_.push_back(next.message);
        taken_ += next.size;
    }
}

turn::net::tls_distrust server_link::distrust() const noexcept {
    if (dtls_) return dtls_->distrust();
    return tls_ ? tls_->distrust() : turn::net::tls_distrust::none;
}

std::int64_t server_link::certificate_ends() const noexcept {
    if (dtls_) return dtls_->certificate_ends();
    return tls_ ? tls_->certificate_ends() : 0;
}

trouble server_link::tls_trouble() const {
    const char* const failure = dtls_ ? dtls_->failure() : tls_->failure();
    const bool established = dtls_ ? dtls_->established() : tls_->established();
    const std::string words = failure != nullptr ? failure : "";
    const bool untrusted = !established && distrust() != turn::net::tls_distrust::none;
    return {.what = untrusted ? kind::certificate : kind::tls, .distrust = distrust(), .words = words};
}

bool server_link::wait(short events, time_point until) const {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd ready{descriptor(), events, 0};
        const int n = ::poll(&ready, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
        if (n > 0) return true;
        if (n == 0 && left.count() <= 60'000) return false;
        if (n < 0 && errno != EINTR) return false;
    }
}

} // namespace turnctl::check
