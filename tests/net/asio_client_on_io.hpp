#pragma once
/// An io_context that runs until what a test waits for is there, and servers for clients on it.

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include "support/certificates.hpp"
#include "support/real_server.hpp"
#include "turn/asio_client.hpp"

namespace turn::test {

/// What a completion handler was told.
template <class... Results>
struct told {
    std::error_code error{};
    std::tuple<Results...> results{};

    explicit operator bool() const { return !error; }
    const auto& first() const { return std::get<0>(results); }
    const auto& second() const { return std::get<1>(results); }
};

class on_io {
public:
    asio::io_context io{};

    /// Starts an operation with the handler it is given, and runs until that has been called: a failure when it is not.
    template <class... Results, class Start>
    told<Results...> await(Start start) {
        std::optional<told<Results...>> answer;
        start([&](std::error_code error, Results... results) {
            answer = told<Results...>{error, {std::move(results)...}};
        });
        CHECK_FALSE(answer); // never from within the call
        run_until([&] { return answer.has_value(); });
        REQUIRE(answer);
        return *answer;
    }
    void run_until(const std::function<bool()>& there) {
        io.restart();
        for (const auto until = std::chrono::steady_clock::now() + patience; !there();)
            if (std::chrono::steady_clock::now() > until || io.run_one_until(until) == 0) break;
    }
};

/// Ann, and everything she does, waited for.
class asio_ann : public on_io {
public:
    asio_client it;

    explicit asio_ann(asio_client_options o) : it(io, std::move(o)) {}

    auto connect() {
        return await<>([&](auto h) { it.async_connect(h); });
    }
    auto receive_icmp() {
        return await<client::peer_unreachable>([&](auto h) { it.async_receive_icmp(h); });
    }
    auto bind() {
        return await<transport_address>([&](auto h) { it.async_bind(h); });
    }
    auto allocate(const allocate_wishes& wishes = {}) {
        return await<client::allocated>([&](auto h) { it.async_allocate(wishes, h); });
    }
    auto refresh(std::chrono::seconds lifetime) {
        return await<std::chrono::seconds>([&](auto h) { it.async_refresh(lifetime, h); });
    }
    auto permit(const transport_address& peer) {
        return await<>([&](auto h) { it.async_permit(peer, h); });
    }
    auto bind_channel(const transport_address& peer) {
        return await<>([&](auto h) { it.async_bind_channel(peer, h); });
    }
    auto send(const transport_address& peer, const std::string& text) {
        return await<>([&](auto h) { it.async_send(peer, asio::buffer(text), h); });
    }
    auto connect_peer(const transport_address& peer) {
        return await_stream([&](auto h) { it.async_connect_peer(peer, h); });
    }
    auto accept_peer() {
        return await_stream([&](auto h) { it.async_accept_peer(h); });
    }
    /// A stream, or why there is none.
    template <class Start>
    result<peer_stream, std::error_code> await_stream(Start start) {
        std::optional<result<peer_stream, std::error_code>> answer;
        start([&](std::error_code error, peer_stream s) {
            if (error)
                answer.emplace(error);
            else
                answer.emplace(std::move(s));
        });
        run_until([&] { return answer.has_value(); });
        REQUIRE(answer);
        return std::move(*answer);
    }
    /// The next text from a peer, and who that was.
    auto receive(std::size_t room = 65'536) {
        std::string text(room, '\0');
        const auto came =
            await<transport_address, std::size_t>([&](auto h) { it.async_receive(asio::buffer(text), h); });
        text.resize(came.second());
        return told<std::string, transport_address>{came.error, {text, came.first()}};
    }
};

/// A port where a TCP connection comes about as little as not: the queue is full, and nobody accepts.
struct deaf_server {
    asio::ip::tcp::acceptor acceptor;
    asio::ip::tcp::socket first_in_the_queue;

    explicit deaf_server(asio::io_context& io) : acceptor(io, asio::ip::tcp::v4()), first_in_the_queue(io) {
        acceptor.bind({asio::ip::address_v4::loopback(), 0});
        acceptor.listen(0);
        first_in_the_queue.connect(acceptor.local_endpoint());
    }
    [[nodiscard]] transport_address local() const { return loopback().with_port(acceptor.local_endpoint().port()); }
};

/// "turn:127.0.0.1:PORT?transport=TRANSPORT"
inline uri uri_of(const transport_address& a, std::string_view transport, bool secure = false) {
    uri u{.scheme = secure ? uri_scheme::turns : uri_scheme::turn, .host = a.ip_to_string(), .port = a.port};
    u.transport = transport;
    return u;
}

inline asio_client_options ann_at(uri server) {
    return {.server = std::move(server), .username = "ann", .password = "ann's password"};
}

/// Sends everybody on to this server, and says so by this name.
inline redirect_policy on_to(const server& s, const std::string& name = {}) {
    std::array<transport_address, transport_count> there;
    for (std::size_t t = 0; t < transport_count; ++t)
        there[t] = listener_of(s, address_family::ipv4, static_cast<transport>(t));
    return [there, name](const redirect_question& q) {
        return alternate_server{.address = there[static_cast<std::size_t>(q.protocol)], .domain = name};
    };
}

/// A server on 127.0.0.1 over everything, with a certificate for that address.
struct anywhere {
    certificate_authority authority{};
    certificate_folder folder{};
    certificate_files files = folder.files(authority.issue({.addresses = {"127.0.0.1"}}));
    server at;

    explicit anywhere(const std::function<void(server_options&)>& change = [](server_options&) {})
        : at(start(change)) {}

    server start(const std::function<void(server_options&)>& change) const {
        auto o = on_loopback();
        o.listeners = {{.local = loopback()},
                       {.protocol = transport::tcp, .local = loopback()},
                       {.protocol = transport::tls, .local = loopback(), .certificates = {files}},
                       {.protocol = transport::dtls, .local = loopback(), .certificates = {files}}};
        change(o);
        auto s = server::start(std::move(o));
        REQUIRE(s);
        return std::move(*s);
    }
    /// One with a certificate for this name alone.
    server start_as(const std::string& name, const std::function<void(server_options&)>& change = {}) const {
        const auto own = folder.files(authority.issue({.names = {name}}), name);
        return start([&](server_options& o) {
            if (change) change(o);
            for (auto& l : o.listeners)
                if (is_secure(l.protocol)) l.certificates = {own};
        });
    }
    asio_client_options by(transport t) const { return by(t, at); }
    /// To this server, which start() has made.
    asio_client_options by(transport t, const server& s) const {
        auto o = ann_at(uri_of(listener_of(s, address_family::ipv4, t), is_datagram(t) ? "udp" : "tcp", is_secure(t)));
        if (is_secure(t)) o.trust = *net::client_trust::load(folder.file("root.pem", authority.root()));
        return o;
    }
};

/// Ann has an allocation, over UDP, on a server of her own.
struct ann_at_work {
    anywhere server{};
    asio_ann ann{server.by(transport::udp)};
    client::allocated made{};

    ann_at_work() {
        REQUIRE(ann.connect());
        const auto answer = ann.allocate();
        REQUIRE(answer);
        made = answer.first();
    }
};

} // namespace turn::test
