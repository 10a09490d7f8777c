#include "support/real_stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <openssl/ssl.h>

namespace turn::test {

namespace {

union name {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

socklen_t to_name(const transport_address& a, name& out) {
    out = {};
    if (a.is_ipv4()) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(a.port);
        std::memcpy(&out.v4.sin_addr, a.ip.data(), 4);
        return sizeof out.v4;
    }
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(a.port);
    std::memcpy(&out.v6.sin6_addr, a.ip.data(), 16);
    return sizeof out.v6;
}

time_point soon() {
    return std::chrono::steady_clock::now() + patience;
}

} // namespace

real_stream::real_stream(const transport_address& server, const options& o) : server_(server) {
    descriptor_ = ::socket(server.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (o.receive_buffer != 0)
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &o.receive_buffer, sizeof o.receive_buffer);
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    name to{};
    if (!o.from.is_unspecified()) {
        const socklen_t size = to_name(o.from, to);
        if (::bind(descriptor_, &to.any, size) != 0) throw std::runtime_error("cannot bind");
    }
    const socklen_t size = to_name(server, to);
    if (::connect(descriptor_, &to.any, size) != 0) throw std::runtime_error("cannot connect");
    name here{};
    socklen_t here_size = sizeof here;
    ::getsockname(descriptor_, &here.any, &here_size);
    local_ = loopback(server.family).with_port(ntohs(server.is_ipv4() ? here.v4.sin_port : here.v6.sin6_port));
    ::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
    if (o.protocol != transport::tls) return;

    context_ = SSL_CTX_new(TLS_client_method());
    if (!o.trusted.empty()) {
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_load_verify_locations(context_, o.trusted.c_str(), nullptr);
    }
    tls_ = SSL_new(context_);
    SSL_set_fd(tls_, descriptor_);
    if (!o.server_name.empty()) SSL_set_tlsext_host_name(tls_, o.server_name.c_str());
    for (const auto until = soon();;) {
        const int done = SSL_connect(tls_);
        if (done == 1) return;
        const int why = SSL_get_error(tls_, done);
        const short events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        if ((why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) || !wait(events, until)) {
            SSL_free(tls_);
            SSL_CTX_free(context_);
            ::close(descriptor_);
            throw std::runtime_error("no TLS");
        }
    }
}

real_stream::~real_stream() {
    if (tls_ != nullptr) {
        if (!closed_) SSL_shutdown(tls_);
        SSL_free(tls_);
        SSL_CTX_free(context_);
    }
    ::close(descriptor_);
}

bool real_stream::wait(short events, time_point until) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd p{descriptor_, events, 0};
    return left.count() > 0 && ::poll(&p, 1, static_cast<int>(left.count())) == 1;
}

void real_stream::send(std::span<const datagram> messages) {
    std::vector<std::byte> all;
    for (const datagram& m : messages) {
        all.insert(all.end(), m.head.begin(), m.head.end());
        all.insert(all.end(), m.body.begin(), m.body.end());
        all.resize(all.size() + m.pad);
    }
    send_bytes(all);
}

void real_stream::send_bytes(bytes all) {
    for (const auto until = soon(); !all.empty();) {
        const auto n = tls_ != nullptr ? SSL_write(tls_, all.data(), static_cast<int>(all.size()))
                                       : ::send(descriptor_, all.data(), all.size(), MSG_NOSIGNAL);
        if (n > 0)
            all = all.subspan(static_cast<std::size_t>(n));
        else if ((tls_ == nullptr && errno != EAGAIN) || !wait(POLLOUT, until))
            return;
    }
}

std::vector<std::byte> real_stream::receive_bytes(std::size_t size, time_point until) {
    std::vector<std::byte> came(size);
    while (!closed_) {
        const auto n = tls_ != nullptr ? SSL_read(tls_, came.data(), static_cast<int>(size))
                                       : ::recv(descriptor_, came.data(), size, 0);
        if (n > 0) {
            came.resize(static_cast<std::size_t>(n));
            return came;
        }
        const bool later = tls_ != nullptr ? SSL_get_error(tls_, static_cast<int>(n)) == SSL_ERROR_WANT_READ
                                           : n < 0 && (errno == EAGAIN || errno == EINTR);
        if (!later)
            closed_ = true;
        else if (!wait(POLLIN, until))
            break;
    }
    return {};
}

bool real_stream::closed_by(time_point until) {
    while (!closed_ && !receive_bytes(65536, until).empty()) {}
    return closed_;
}

void real_stream::finish() {
    ::shutdown(descriptor_, SHUT_WR);
}

std::span<const packet> real_stream::receive(time_point until) {
    messages_.clear();
    packets_.clear();
    for (cut(); messages_.empty(); cut()) {
        const auto more = receive_bytes(65536, until);
        if (more.empty()) return {};
        received_.insert(received_.end(), more.begin(), more.end());
    }
    for (const auto& m : messages_) packets_.push_back({id(), server_, m, 0});
    return packets_;
}

void real_stream::cut() {
    std::size_t at = 0;
    while (received_.size() - at >= 4) {
        const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(received_[at + i]); };
        const std::size_t length = byte(2) << 8 | byte(3);
        const bool channel_data = byte(0) >> 6 == 1;
        const std::size_t message = (channel_data ? 4 : 20) + length;
        const std::size_t size = (message + 3) / 4 * 4;
        if (received_.size() - at < size) break;
        const auto begin = received_.begin() + static_cast<std::ptrdiff_t>(at);
        messages_.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(message));
        at += size;
    }
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(at));
}

} // namespace turn::test
