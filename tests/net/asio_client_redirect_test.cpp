/// turn::asio_client when servers send it on: RFC 8489, 10.

#include "asio_client_on_io.hpp"

#include <atomic>
#include <string>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

std::uint64_t sent_on_by(const server& s) {
    return s.totals().relay.refused[static_cast<std::size_t>(reason::redirected)];
}

transport_address of(const server& s, transport t) {
    return listener_of(s, address_family::ipv4, t);
}

/// Ports where nobody answers, and a server that sends everybody there.
struct to_nowhere {
    asio::io_context io{};
    deaf_server streams{io};
    real_peer datagrams{};
    anywhere world{};
    server here = world.start([this](server_options& o) {
        o.relay.redirect = [streams = at(transport::tcp), datagrams = at(transport::udp)](const redirect_question& q) {
            return alternate_server{.address = is_datagram(q.protocol) ? datagrams : streams};
        };
    });

    [[nodiscard]] transport_address at(transport t) const {
        return is_datagram(t) ? datagrams.local() : streams.local();
    }
    [[nodiscard]] asio_client_options by(transport t) const { return world.by(t, here); }
};

/// How several waits have ended, and a handler for each.
struct ends {
    std::vector<std::error_code> all{};

    auto note() {
        return [this](std::error_code error, auto&&...) { all.push_back(error); };
    }
};

} // namespace

TEST_CASE("RFC 8489 10: an asio_client goes where it is sent, over UDP, TCP, TLS and DTLS, and relays from there") {
    const anywhere there;
    const auto here = there.start([&](server_options& o) { o.relay.redirect = on_to(there.at); });
    for (const auto t : {transport::udp, transport::tcp, transport::tls, transport::dtls}) {
        CAPTURE(name(t));
        real_peer bob;
        asio_ann ann(there.by(t, here));
        REQUIRE(ann.connect());
        CHECK(ann.it.server() == of(here, t));
        std::optional<told<client::allocated>> made;
        ann.it.async_allocate({}, [&](std::error_code error, const client::allocated& a) {
            made = told<client::allocated>{error, {a}};
        });
        ends channel; // asked for behind it, without waiting
        ann.it.async_bind_channel(bob.local(), channel.note());
        ann.run_until([&] { return ann.it.server() == of(there.at, t); });
        CHECK_FALSE(made);
        CHECK(channel.all.empty());
        CHECK(ann.bind()); // asked on the way
        ann.run_until([&] { return made && !channel.all.empty(); });
        REQUIRE(*made);
        CHECK(ann.it.has_allocation());
        CHECK(channel.all == std::vector<std::error_code>{{}});

        REQUIRE(ann.send(bob.local(), "from there"));
        const auto heard = bob.receive();
        REQUIRE(heard);
        CHECK(heard->from == made->first().relayed);
        bob.send(made->first().relayed, "and back");
        CHECK(ann.receive().first() == "and back");
    }
    CHECK(sent_on_by(here) == 4);
    CHECK(here.totals().relay.allocations == 0);
}

TEST_CASE("RFC 8489 10: the other server's certificate has to be for ALTERNATE-DOMAIN, or else for the old name") {
    const anywhere world; // certificates for 127.0.0.1
    const auto there = world.start_as("there.example");
    for (const auto t : {transport::tls, transport::dtls})
        for (const char* const domain : {"there.example", "", "elsewhere.example"}) {
            CAPTURE(name(t));
            CAPTURE(domain);
            const auto here = world.start([&](server_options& o) { o.relay.redirect = on_to(there, domain); });
            asio_ann ann(world.by(t, here));
            REQUIRE(ann.connect());
            const auto made = ann.allocate();
            if (domain == std::string("there.example")) {
                CHECK(made);
                continue;
            }
            CHECK(made.error == client_error::wrong_name);
            CHECK(ann.it.tls_failure() != nullptr);
            CHECK(ann.bind().error == client_error::not_connected);
            CHECK(ann.connect()); // the old name again, at the old server
            CHECK(ann.it.server() == of(here, t));
        }
}

TEST_CASE("RFC 8489 10: an asio_client is not sent round in circles") {
    std::atomic<std::uint16_t> port_here{0};
    const anywhere there([&](server_options& o) {
        o.relay.redirect = [&](const redirect_question&) {
            return alternate_server{.address = loopback().with_port(port_here)};
        };
    });
    const auto here = there.start([&](server_options& o) { o.relay.redirect = on_to(there.at); });
    for (const auto t : {transport::udp, transport::tls}) {
        CAPTURE(name(t));
        port_here = of(here, t).port;
        asio_ann ann(there.by(t, here));
        REQUIRE(ann.connect());
        CHECK(ann.allocate().error == refused_with(300));
        CHECK(ann.it.server() == of(there.at, t));
        CHECK(ann.bind()); // the connection is there
    }
    CHECK(sent_on_by(here) == 2);
    CHECK(sent_on_by(there.at) == 2);
}

TEST_CASE("RFC 8489 10: a server that nobody can reach ends the connection, or the request over UDP") {
    const to_nowhere nowhere;
    auto o = nowhere.by(transport::tcp);
    o.connect_patience = 200ms;
    asio_ann ann(o);
    REQUIRE(ann.connect());
    ends waits;
    ann.it.async_receive_icmp(waits.note());
    CHECK(ann.allocate().error == asio::error::timed_out);
    ann.run_until([&] { return !waits.all.empty(); });
    CHECK(waits.all == std::vector<std::error_code>{asio::error::timed_out});
    CHECK(ann.bind().error == client_error::not_connected);

    o = nowhere.by(transport::udp);
    o.protocol.rto = 50ms;
    o.protocol.rc = 1;
    o.protocol.rm = 8;
    asio_ann bea(o);
    REQUIRE(bea.connect());
    CHECK(bea.allocate().error == client_error::no_answer);
    CHECK(bea.it.server() == nowhere.at(transport::udp));
}

TEST_CASE("a client on its way to another server can be called off, closed and destroyed") {
    const to_nowhere nowhere;
    on_io loop;
    for (const auto t : {transport::udp, transport::tls, transport::dtls}) {
        CAPTURE(name(t));
        ends waits;
        {
            asio_client ann(loop.io, nowhere.by(t));
            REQUIRE(loop.await<>([&](auto h) { ann.async_connect(h); }));
            asio::cancellation_signal signal;
            ann.async_allocate({}, asio::bind_cancellation_slot(signal.slot(), waits.note()));
            loop.run_until([&] { return ann.server() == nowhere.at(t); });
            signal.emit(asio::cancellation_type::all);
            loop.run_until([&] { return !waits.all.empty(); });
            ann.async_bind(waits.note());
            if (t == transport::tls) ann.close();
            CHECK(waits.all.size() == 1);
        }
        loop.io.restart();
        loop.io.run(); // comes to an end: nothing waits any more
        CHECK(waits.all == std::vector<std::error_code>(2, asio::error::operation_aborted));
    }
}
