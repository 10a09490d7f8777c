#pragma once
/// One way to a server by UDP, TCP, TLS or DTLS on Asio's sockets: net::client_wire with a socket. Part of
/// turn/asio_client.hpp.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "turn/client_error.hpp"
#include "turn/net/client_wire.hpp"
#include "turn/packet.hpp"
#include "turn/result.hpp"

namespace turn::asio_detail {

using protocol = net::client_wire::protocol;

template <class Endpoint>
Endpoint to_endpoint(const transport_address& a) {
    if (!a.is_ipv4()) return {asio::ip::address_v6(a.ip), a.port};
    asio::ip::address_v4::bytes_type ip{};
    std::copy_n(a.ip.begin(), ip.size(), ip.begin());
    return {asio::ip::address_v4(ip), a.port};
}

template <class Endpoint>
transport_address from_endpoint(const Endpoint& e) {
    transport_address a{.port = e.port()};
    if (e.address().is_v4()) {
        std::ranges::copy(e.address().to_v4().to_bytes(), a.ip.begin());
    } else {
        a.family = address_family::ipv6;
        a.ip = e.address().to_v6().to_bytes();
    }
    return a;
}

/// Who has a link. Called on the link's executor; only wrote() also from within link::flush().
class link_user {
public:
    virtual void opened() = 0;
    /// Something was read: take it from the wire. False: no more for now, until link::read().
    virtual bool arrived(net::client_wire&) = 0;
    /// What had been queued up to here is written, or is lost for this reason.
    virtual void wrote(std::uint64_t flushed, std::error_code) = 0;
    /// The network says that nobody listens (UDP): it may be right.
    virtual void refused(std::error_code) = 0;
    /// The end; nothing is called after it. What had arrived was taken before.
    virtual void ended(std::error_code) = 0;

protected:
    ~link_user() = default;
};

/// Shared by its user and by the handlers that Asio holds; close() cuts it off from both.
class link final : public std::enable_shared_from_this<link> {
public:
    link(const asio::any_io_executor& executor, link_user& user, protocol p,
         const std::optional<net::client_wire::secret>& with)
        : user_(&user), wire_(p, with), socket_(make_socket(executor, p)), timer_(executor) {}

    /// Connects and shakes hands; opened() or ended() says how that went, the latter after `patience` at most.
    void open(const transport_address& server, std::chrono::milliseconds patience) {
        const auto self = shared_from_this();
        gives_up_ = std::chrono::steady_clock::now() + patience;
        if (auto* udp = std::get_if<asio::ip::udp::socket>(&socket_)) {
            std::error_code error;
            udp->connect(to_endpoint<asio::ip::udp::endpoint>(server), error); // what others send does not reach us
            // The user is in the middle of a call to us.
            asio::post(timer_.get_executor(), [self, error] { self->connected(error); });
        } else {
            std::get<asio::ip::tcp::socket>(socket_).async_connect(
                to_endpoint<asio::ip::tcp::endpoint>(server),
                [self](std::error_code error) { self->connected(error); });
        }
        arm();
    }

    [[nodiscard]] net::client_wire& wire() noexcept { return wire_; }
    [[nodiscard]] transport_address local_address() const {
        std::error_code ignored;
        return std::visit([&](const auto& s) { return from_endpoint(s.local_endpoint(ignored)); }, socket_);
    }

    /// Writes what the wire has, now as far as the socket takes it. The user hears of it by wrote(), maybe in this
    /// call.
    void flush() {
        while (user_ && connected_ && !writing_ && !wire_.to_write().empty()) {
            const bytes piece = wire_.to_write();
            std::error_code error;
            const std::size_t count = write_some(piece, error);
            if (error == asio::error::would_block || error == asio::error::try_again) return wait_to_write();
            if (error && wire_.is_stream()) return later([error](link& l) { l.end(error); });
            wire_.written(error ? piece.size() : count); // a datagram that cannot leave is lost, as UDP may
            user_->wrote(wire_.flushed(), error);
        }
    }
    /// RFC 6062, 5: from now on the server's end of sending is no end of the link.
    void outlive_end() noexcept { outlives_end_ = true; }
    /// After arrived() said that it was enough.
    void read() {
        if (user_ && !reading_) wait_to_read();
    }
    /// No bytes follow those that are written.
    void shut_down_sending() {
        std::error_code ignored;
        wire_.close();
        flush();
        if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&socket_))
            tcp->shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    }
    /// Says goodbye as far as that can be done at once, and is not heard of any more.
    void close() {
        if (!user_) return;
        if (wire_.now() == net::client_wire::state::open) wire_.close();
        std::error_code error;
        for (bytes piece = wire_.to_write(); connected_ && !piece.empty() && !error; piece = wire_.to_write())
            wire_.written(write_some(piece, error));
        forsake();
    }

private:
    using socket = std::variant<asio::ip::udp::socket, asio::ip::tcp::socket>;
    static constexpr int reads_in_a_row = 16; ///< then others on the executor have their turn
    static constexpr std::size_t largest_read = 65'536;

    static socket make_socket(const asio::any_io_executor& executor, protocol p) {
        if (p == protocol::udp || p == protocol::dtls) return asio::ip::udp::socket(executor);
        return asio::ip::tcp::socket(executor);
    }

    void connected(std::error_code error) {
        if (!user_) return;
        std::visit(
            [&](auto& s) {
                if (!error) s.non_blocking(true, error);
            },
            socket_);
        if (auto* tcp = std::get_if<asio::ip::tcp::socket>(&socket_); tcp && !error)
            tcp->set_option(asio::ip::tcp::no_delay(true), error);
        if (error) return end(error);
        connected_ = true;
        wait_to_read();
        flush();
        look_at_wire();
    }

    /// What the wire's state means; called when it may have changed.
    void look_at_wire() {
        if (!user_) return;
        using state = net::client_wire::state;
        if (wire_.now() == state::open && !opened_) {
            opened_ = true;
            user_->opened();
        }
        if (!user_) return;
        if (wire_.now() == state::failed) return end(wire_.error());
        if (wire_.now() == state::ended && !outlives_end_) return end(opened_ ? client_error::closed : wire_.error());
        arm();
    }

    void wait_to_read() {
        reading_ = true;
        const auto react = [self = shared_from_this()](std::error_code error) {
            self->reading_ = false;
            if (!error) self->readable();
        };
        std::visit([&](auto& s) { s.async_wait(asio::socket_base::wait_read, react); }, socket_);
    }

    void readable() {
        thread_local std::vector<std::byte> room(largest_read); // what comes is taken before the next read
        bool more = true;
        for (int i = 0; i < reads_in_a_row && user_ && more; ++i) {
            std::error_code error;
            const std::size_t count = read_some(room, error);
            if (error == asio::error::would_block || error == asio::error::try_again) break;
            if (error && !wire_.is_stream()) {
                user_->refused(error); // ICMP says so, and may be wrong
                continue;
            }
            if (error == asio::error::eof) wire_.end();
            if (error && error != asio::error::eof) return end(error);
            if (!error) wire_.receive(bytes(room).first(count));
            more = user_->arrived(wire_);
            if (!user_) return;
            flush(); // what the handshake answers
            look_at_wire();
        }
        if (user_ && more) wait_to_read();
    }

    void wait_to_write() {
        writing_ = true;
        const auto react = [self = shared_from_this()](std::error_code error) {
            self->writing_ = false;
            if (!error) self->flush();
        };
        std::visit([&](auto& s) { s.async_wait(asio::socket_base::wait_write, react); }, socket_);
    }

    /// Patience while connecting, and what DTLS sends again.
    void arm() {
        const auto now = std::chrono::steady_clock::now();
        const auto due = std::min(opened_ ? time_point::max() : gives_up_, wire_.next_deadline(now));
        if (due == time_point::max()) return;
        timer_.expires_at(due);
        timer_.async_wait([self = shared_from_this()](std::error_code error) {
            if (!error) self->time_has_come();
        });
    }
    void time_has_come() {
        if (!user_) return;
        const auto now = std::chrono::steady_clock::now();
        if (!opened_ && now >= gives_up_) return end(asio::error::timed_out);
        wire_.tick(now);
        flush();
        look_at_wire();
    }

    std::size_t read_some(std::span<std::byte> room, std::error_code& error) {
        const auto buffer = asio::buffer(room.data(), room.size());
        if (auto* udp = std::get_if<asio::ip::udp::socket>(&socket_)) return udp->receive(buffer, 0, error);
        return std::get<asio::ip::tcp::socket>(socket_).read_some(buffer, error);
    }
    std::size_t write_some(bytes piece, std::error_code& error) {
        const auto buffer = asio::buffer(piece.data(), piece.size());
        if (auto* udp = std::get_if<asio::ip::udp::socket>(&socket_)) return udp->send(buffer, 0, error);
        return std::get<asio::ip::tcp::socket>(socket_).write_some(buffer, error);
    }

    template <class What>
    void later(What what) {
        asio::post(timer_.get_executor(), [self = shared_from_this(), what] { what(*self); });
    }
    void end(std::error_code why) {
        link_user* const user = user_;
        if (!user) return;
        std::error_code ignored;
        if (connected_ && !wire_.to_write().empty()) write_some(wire_.to_write(), ignored); // an alert, as a courtesy
        forsake();
        user->ended(why);
    }
    void forsake() {
        user_ = nullptr;
        std::error_code ignored;
        timer_.cancel();
        std::visit([&](auto& s) { s.close(ignored); }, socket_);
    }

    link_user* user_; ///< null: closed
    net::client_wire wire_;
    socket socket_;
    asio::steady_timer timer_;
    time_point gives_up_{};
    bool connected_ = false; ///< until then a write would wait for it
    bool opened_ = false, reading_ = false, writing_ = false, outlives_end_ = false;
};

} // namespace turn::asio_detail
