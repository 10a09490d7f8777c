#include "streams.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "ipv4.hpp"
#include "net/stream_framer.hpp"
#include "sockets.hpp"

namespace turn::bench {
namespace {

constexpr std::size_t most_ready = 256;
constexpr std::size_t read_size = 65'536;
constexpr std::size_t largest_partial = 2 * 65'536; ///< a message that is not whole, and a TLS record
constexpr std::size_t room_of_a_turn = largest_partial + read_size;
constexpr std::size_t unsent_limit = 1 << 20; ///< bytes of one connection
constexpr std::array<std::byte, 4> zeros{};

[[noreturn]] void give_up(std::string_view what) {
    throw trouble{fmt::format("{}: {}", what, std::strerror(errno))};
}

void switch_on(int descriptor, int level, int option) noexcept {
    const int on = 1;
    ::setsockopt(descriptor, level, option, &on, sizeof on);
}

void append(std::vector<std::byte>& to, const datagram& message) {
    to.insert(to.end(), message.head.begin(), message.head.end());
    to.insert(to.end(), message.body.begin(), message.body.end());
    to.insert(to.end(), zeros.begin(), zeros.begin() + message.pad);
}

} // namespace

streams::streams(const transport_address& server, std::optional<tls_settings> tls)
    : server_(server), tls_(std::move(tls)), epoll_(::epoll_create1(EPOLL_CLOEXEC)), ready_(most_ready),
      arena_(16 * room_of_a_turn), ciphertext_(read_size) {
    if (!epoll_) give_up("no epoll");
}

socket_id streams::connect(const transport_address& from) {
    net::file_descriptor handle(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!handle) give_up("no TCP socket");
    switch_on(handle.number(), IPPROTO_TCP, TCP_NODELAY);
    switch_on(handle.number(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT); // the port need not be free for other servers
    const sockaddr_in here = ipv4_name(from);
    const sockaddr_in there = ipv4_name(server_);
    if (::bind(handle.number(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) give_up("TCP bind");
    if (::connect(handle.number(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0 &&
        errno != EINPROGRESS)
        give_up("TCP connect");

    const auto index = static_cast<std::uint32_t>(connections_.size());
    connection& c = connections_.emplace_back();
    c.handle = std::move(handle);
    c.open = !tls_;
    if (tls_) {
        c.tls = std::make_unique<tls_client>(*tls_);
        c.tls->shake_hands();
        c.tls->give(c.unsent);
    }
    c.writable_wanted = true; // when it is connected
    watch(index, EPOLL_CTL_ADD);
    return stream_id(index);
}

void streams::close(socket_id id) noexcept {
    connections_[index_of(id)] = {}; // the kernel stops watching what is closed
}

std::span<const packet> streams::receive() {
    packets_.clear();
    gone_.clear();
    used_ = 0;
    const int n = ::epoll_wait(epoll_.number(), ready_.data(), static_cast<int>(ready_.size()), 0);
    for (int i = 0; i < n && arena_.size() - used_ >= room_of_a_turn; ++i) // the others are ready next time, too
        take_turn(ready_[static_cast<std::size_t>(i)].data.u32, ready_[static_cast<std::size_t>(i)].events);
    return packets_;
}

void streams::take_turn(std::uint32_t index, std::uint32_t events) {
    if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && read(index) == state::gone) return end(index);
    if ((events & EPOLLOUT) != 0 && write(index) == state::gone) end(index);
}

streams::state streams::read(std::uint32_t index) {
    connection& c = connections_[index];
    const auto room = std::span(arena_).subspan(used_, room_of_a_turn);
    const std::size_t before = c.partial.size();
    std::ranges::copy(c.partial, room.begin());
    const auto into = c.tls ? std::span(ciphertext_) : room.subspan(before, read_size);
    const ssize_t n = ::recv(c.handle.number(), into.data(), into.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return state::fine;
    if (n <= 0) return state::gone;
    auto fresh = static_cast<std::size_t>(n);
    if (c.tls) {
        fresh = decrypt(c, into.first(fresh), room.subspan(before));
        if (!c.unsent.empty() && write(index) == state::gone) return state::gone;
    }
    cut(index, room.first(before + fresh));
    return state::fine;
}

/// Returns how many bytes of plaintext came.
std::size_t streams::decrypt(connection& c, bytes ciphertext, std::span<std::byte> room) {
    c.tls->take(ciphertext);
    if (!c.open && c.tls->shake_hands()) {
        c.open = true;
        cipher_ = c.tls->cipher();
        if (!c.early.empty()) c.tls->write(c.early);
        c.early = {};
    }
    const std::size_t plain = c.open ? c.tls->read(room) : 0;
    c.tls->give(c.unsent);
    return plain;
}

/// Takes whole messages off what was received and keeps the rest.
void streams::cut(std::uint32_t index, std::span<std::byte> received) {
    std::size_t done = 0;
    while (done < received.size()) {
        const net::frame next = net::next_frame(received.subspan(done), {});
        if (next.what == net::frame::state::garbage) throw trouble{"the server sent what is no message on a stream"};
        if (next.what == net::frame::state::incomplete) break;
        packets_.push_back({.via = stream_id(index), .from = server_, .data = next.message});
        done += next.size;
    }
    connection& c = connections_[index];
    c.partial.assign(received.begin() + static_cast<std::ptrdiff_t>(done), received.end());
    used_ += done;
}

void streams::send(std::span<const datagram> messages) {
    for (const datagram& message : messages) {
        const auto index = static_cast<std::uint32_t>(index_of(message.via));
        connection& c = connections_[index];
        if (!c.handle || c.unsent.size() + c.early.size() + message.size() > unsent_limit) {
            ++dropped_;
            continue;
        }
        queue(c, message);
        if (!c.touched) touched_.push_back(index);
        c.touched = true;
    }
    for (const std::uint32_t index : touched_) {
        connections_[index].touched = false;
        // A connection that is gone is readable, and found out there, behind what it brought.
        if (!connections_[index].unsent.empty()) static_cast<void>(write(index));
    }
    touched_.clear();
}

void streams::queue(connection& c, const datagram& message) {
    if (!c.tls) return append(c.unsent, message);
    if (!c.open) return append(c.early, message);
    message_.clear();
    append(message_, message);
    c.tls->write(message_);
    c.tls->give(c.unsent);
}

streams::state streams::write(std::uint32_t index) {
    connection& c = connections_[index];
    const ssize_t n = c.unsent.empty() ? 0 : ::send(c.handle.number(), c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return state::gone;
    if (n > 0) c.unsent.erase(c.unsent.begin(), c.unsent.begin() + n);
    if (c.writable_wanted == c.unsent.empty()) {
        c.writable_wanted = !c.unsent.empty();
        watch(index, EPOLL_CTL_MOD);
    }
    return state::fine;
}

void streams::watch(std::uint32_t index, int operation) {
    const connection& c = connections_[index];
    epoll_event wanted{};
    wanted.events = c.writable_wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
    wanted.data.u32 = index;
    if (::epoll_ctl(epoll_.number(), operation, c.handle.number(), &wanted) != 0) give_up("epoll");
}

void streams::end(std::uint32_t index) {
    close(stream_id(index));
    gone_.push_back(stream_id(index));
}

} // namespace turn::bench
