/// TCP connections with peers through turn::asio_client and turn::server: RFC 6062.

#include "asio_client_on_io.hpp"

#include <string>
#include <utility>

#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

using namespace turn;
using namespace turn::test;

namespace {

using asio::ip::tcp;

void with_tcp_relay(server_options& o) {
    o.relay.tcp_relay = true;
}

transport_address address_of(const tcp::endpoint& e) {
    return loopback().with_port(e.port());
}

/// Bob, who listens at a port of his own.
struct tcp_peer {
    on_io& loop;
    tcp::acceptor acceptor{loop.io, {asio::ip::address_v4::loopback(), 0}};

    [[nodiscard]] transport_address local() const { return address_of(acceptor.local_endpoint()); }
    tcp::socket accept() {
        tcp::socket s(loop.io);
        REQUIRE(loop.await<>([&](auto h) { acceptor.async_accept(s, h); }));
        return s;
    }
};

/// Ann with a TCP allocation that lets everybody of loopback in.
struct tcp_ann : asio_ann {
    transport_address relayed{};

    tcp_ann(const anywhere& server, transport t) : tcp_ann(server.by(t)) {}
    explicit tcp_ann(asio_client_options o) : asio_ann(std::move(o)) {
        REQUIRE(connect());
        const auto made = allocate({.tcp = true});
        REQUIRE(made);
        relayed = made.first().relayed;
        REQUIRE(permit(loopback()));
    }
    template <class From>
    std::string read(From& from, std::size_t size) {
        std::string text(size, '\0');
        const auto came = await<std::size_t>([&](auto h) { asio::async_read(from, asio::buffer(text), h); });
        CHECK_FALSE(came.error);
        return text.substr(0, came.first());
    }
    template <class From>
    std::error_code end_of(From& from) {
        char one = 0;
        return await<std::size_t>([&](auto h) { asio::async_read(from, asio::buffer(&one, 1), h); }).error;
    }
    template <class To>
    bool write(To& to, const std::string& text) {
        return bool(await<std::size_t>([&](auto h) { asio::async_write(to, asio::buffer(text), h); }));
    }
};

/// And a connection with Bob.
struct ann_and_bob {
    anywhere server{with_tcp_relay};
    tcp_ann ann{server, transport::tcp};
    tcp_peer bob{ann};
    peer_stream stream{};

    ann_and_bob() {
        auto made = ann.connect_peer(bob.local());
        REQUIRE(made);
        stream = std::move(*made);
    }
};

std::string long_text(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
    return text;
}

} // namespace

TEST_CASE(
    "RFC 6062 4.3: an asio_client has its server connect to a peer, and each hears what the other says to its end") {
    const anywhere server(with_tcp_relay);
    for (const auto t : {transport::tcp, transport::tls}) {
        CAPTURE(name(t));
        tcp_ann ann(server, t);
        tcp_peer bob{ann};
        auto stream = ann.connect_peer(bob.local());
        REQUIRE(stream);
        CHECK(stream->peer() == bob.local());
        auto at_bob = bob.accept();
        CHECK(address_of(at_bob.remote_endpoint()) == ann.relayed);

        const auto text = long_text(300'000);
        std::string heard(text.size(), '\0');
        std::optional<std::error_code> written;
        asio::async_write(*stream, asio::buffer(text), [&](std::error_code error, std::size_t) { written = error; });
        CHECK(ann.read(at_bob, text.size()) == text);
        ann.run_until([&] { return written.has_value(); });
        CHECK(written == std::error_code());

        stream->shut_down_sending();
        CHECK(ann.end_of(at_bob) == asio::error::eof);
        REQUIRE(ann.write(at_bob, "and this is what I think"));
        at_bob.close();
        CHECK(ann.read(*stream, 24) == "and this is what I think");
        CHECK(ann.end_of(*stream) == asio::error::eof);
    }
}

TEST_CASE("RFC 6062 4.4: peers that connect are accepted one by one, with what they have said already") {
    const anywhere server(with_tcp_relay);
    for (const auto t : {transport::tcp, transport::tls}) {
        CAPTURE(name(t));
        tcp_ann ann(server, t);
        std::vector<tcp::socket> peers;
        for (const char* words : {"first", "other"}) {
            peers.emplace_back(ann.io);
            const tcp::endpoint to(asio::ip::address_v4::loopback(), ann.relayed.port);
            REQUIRE(ann.await<>([&](auto h) { peers.back().async_connect(to, h); }));
            REQUIRE(ann.write(peers.back(), words));
        }
        for (int i = 0; i < 2; ++i) {
            auto stream = ann.accept_peer();
            REQUIRE(stream);
            const bool first = stream->peer() == address_of(peers[0].local_endpoint());
            auto& peer = peers[first ? 0 : 1];
            CHECK(stream->peer() == address_of(peer.local_endpoint()));
            CHECK(ann.read(*stream, 5) == (first ? "first" : "other"));
            REQUIRE(ann.write(*stream, "welcome"));
            CHECK(ann.read(peer, 7) == "welcome");
            stream->close();
            CHECK(ann.end_of(peer) == asio::error::eof);
        }
    }
}

TEST_CASE("RFC 6062 4.3: data connections go to where an asio_client was sent, and ask for the same name there") {
    const anywhere world;
    const auto there = world.start_as("there.example", with_tcp_relay);
    const auto here = world.start([&](server_options& o) {
        with_tcp_relay(o);
        o.relay.redirect = on_to(there, "there.example");
    });
    tcp_ann ann(world.by(transport::tls, here));
    tcp_peer bob{ann};
    auto stream = ann.connect_peer(bob.local());
    REQUIRE(stream);
    auto at_bob = bob.accept();
    REQUIRE(ann.write(*stream, "from there"));
    CHECK(ann.read(at_bob, 10) == "from there");
}

TEST_CASE("RFC 6062 5.2: a peer that cannot be reached, or is reached already, is an error with its code") {
    const anywhere server(with_tcp_relay);
    tcp_ann ann(server, transport::tcp);
    const auto nobody = tcp_peer{ann}.local(); // who was there, and is no more
    const auto failed = ann.connect_peer(nobody);
    REQUIRE_FALSE(failed);
    CHECK(failed.error() == refused_with(447));

    tcp_peer bob{ann};
    const auto stream = ann.connect_peer(bob.local());
    REQUIRE(stream);
    const auto again = ann.connect_peer(bob.local());
    REQUIRE_FALSE(again);
    CHECK(again.error() == refused_with(446));
}

TEST_CASE("RFC 6062 5.1: over UDP there is no TCP allocation") {
    const anywhere server(with_tcp_relay);
    asio_ann ann(server.by(transport::udp));
    REQUIRE(ann.connect());
    CHECK(ann.allocate({.tcp = true}).error == refused_with(400));
}

TEST_CASE_FIXTURE(ann_and_bob, "RFC 6062 4: a stream ends with its allocation, and so does waiting for peers") {
    std::optional<std::error_code> accepted;
    ann.it.async_accept_peer([&](std::error_code error, const peer_stream&) { accepted = error; });
    REQUIRE(ann.refresh(std::chrono::seconds(0)));
    const auto end = ann.end_of(stream);
    CHECK((end == asio::error::eof || end == asio::error::connection_reset));
    ann.run_until([&] { return accepted.has_value(); });
    CHECK(accepted == make_error_code(client_error::no_allocation));
    CHECK_FALSE(ann.accept_peer());
}

TEST_CASE_FIXTURE(ann_and_bob, "a stream that is closed ends its own waits") {
    std::optional<std::error_code> end;
    char room[8];
    stream.async_read_some(asio::buffer(room), [&](std::error_code error, std::size_t) { end = error; });
    stream.close();
    ann.run_until([&] { return end.has_value(); });
    CHECK(end == std::error_code(asio::error::operation_aborted));
    CHECK(ann.end_of(stream) == asio::error::operation_aborted);
    CHECK_FALSE(ann.write(stream, "lost"));
}
