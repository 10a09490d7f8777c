/// turn::asio_client against turn::server, and against servers that are none.

#include "asio_client_on_io.hpp"

#include <string>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

/// Accepts connections and says the same to each.
struct odd_server {
    asio::io_context& io;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    std::vector<asio::ip::tcp::socket> clients{};
    std::string says;

    odd_server(asio::io_context& c, std::string words) : io(c), says(std::move(words)) { accept(); }
    void accept() {
        acceptor.async_accept([this](std::error_code error, asio::ip::tcp::socket s) {
            if (error) return;
            clients.push_back(std::move(s));
            asio::write(clients.back(), asio::buffer(says), error);
            accept();
        });
    }
    asio_client_options options() const {
        return ann_at(uri_of(loopback().with_port(acceptor.local_endpoint().port()), "tcp"));
    }
};

} // namespace

TEST_CASE("RFC 8656 2.1: an asio_client relays both ways over UDP, TCP, TLS and DTLS, by indication and by channel") {
    const anywhere server;
    for (const auto t : {transport::udp, transport::tcp, transport::tls, transport::dtls}) {
        CAPTURE(name(t));
        real_peer bob;
        asio_ann ann(server.by(t));
        REQUIRE(ann.connect());
        CHECK(ann.it.server() == listener_of(server.at, address_family::ipv4, t));
        const auto mapped = ann.bind();
        REQUIRE(mapped);
        const auto made = ann.allocate();
        REQUIRE(made);
        CHECK(ann.it.has_allocation());
        CHECK(made.first().mapped == mapped.first());
        REQUIRE(ann.permit(bob.local()));
        for (const bool channel : {false, true}) {
            if (channel) REQUIRE(ann.bind_channel(bob.local()));
            for (const std::size_t size : {0U, 1U, 1200U, 15'000U}) {
                const std::string text(size, 'x');
                REQUIRE(ann.send(bob.local(), text));
                const auto heard = bob.receive();
                REQUIRE(heard);
                CHECK(heard->text == text);
                CHECK(heard->from == made.first().relayed);
                bob.send(made.first().relayed, text);
                const auto answer = ann.receive();
                REQUIRE(answer);
                CHECK(answer.first() == text);
                CHECK(answer.second() == bob.local());
            }
        }
        const auto ended = ann.refresh(0s);
        REQUIRE(ended);
        CHECK(ended.first() == 0s);
        CHECK_FALSE(ann.it.has_allocation());
        ann.it.close();
        ann.io.restart();
        CHECK(ann.io.run() < 100); // comes to an end: nothing waits any more
    }
}

TEST_CASE("an asio_client says what was refused by its ERROR-CODE") {
    const anywhere server;
    auto stranger = server.by(transport::udp);
    stranger.password = "a guess";
    asio_ann mallory(stranger);
    REQUIRE(mallory.connect());
    CHECK(mallory.allocate().error == refused_with(401));

    asio_ann ann(server.by(transport::udp));
    REQUIRE(ann.connect());
    CHECK(ann.refresh(600s).error == refused_with(437));
    REQUIRE(ann.allocate());
    CHECK(ann.allocate().error == refused_with(437));
    CHECK(ann.permit(*transport_address::parse("[::1]:9")).error == refused_with(443));
    CHECK(ann.permit(*transport_address::parse("10.1.2.3:9")).error == refused_with(403));
}

TEST_CASE_FIXTURE(ann_at_work, "several peers have channels of an asio_client, each its own") {
    std::vector<real_peer> peers(3);
    for (const auto& p : peers) REQUIRE(ann.bind_channel(p.local()));
    REQUIRE(ann.bind_channel(peers[1].local())); // again: the same number
    for (auto& p : peers) {
        REQUIRE(ann.send(p.local(), "for you"));
        const auto heard = p.receive();
        REQUIRE(heard);
        CHECK(heard->text == "for you");
        p.send(made.relayed, "back");
        CHECK(ann.receive().second() == p.local());
    }
}

TEST_CASE("nothing works before a connection, and after it has ended") {
    const anywhere server;
    asio_ann ann(server.by(transport::tcp));
    const auto peer = *transport_address::parse("127.0.0.1:9");
    const auto nothing_works = [&] {
        CHECK(ann.bind().error == client_error::not_connected);
        CHECK(ann.allocate().error == client_error::not_connected);
        CHECK(ann.send(peer, "lost").error == client_error::not_connected);
        CHECK(ann.receive().error == client_error::not_connected);
        CHECK(ann.bind_channel(peer).error == client_error::not_connected);
    };
    nothing_works();
    REQUIRE(ann.connect());
    CHECK(ann.connect().error == asio::error::already_connected);
    CHECK(ann.send(peer, "lost").error == client_error::no_allocation);
    ann.it.close();
    nothing_works();
    REQUIRE(ann.connect());
    CHECK(ann.allocate());
}

TEST_CASE("an asio_client whose server is gone hears of it") {
    auto server = std::make_unique<anywhere>();
    asio_ann ann(server->by(transport::tcp));
    REQUIRE(ann.connect());
    REQUIRE(ann.allocate());
    std::optional<std::error_code> heard;
    std::byte room[8];
    ann.it.async_receive(asio::buffer(room), [&](std::error_code error, auto...) { heard = error; });
    server.reset();
    ann.run_until([&] { return heard.has_value(); });
    REQUIRE(heard);
    CHECK((*heard == client_error::closed || *heard == asio::error::connection_reset));
    CHECK_FALSE(ann.it.has_allocation());
    CHECK(ann.bind().error == client_error::not_connected);
    CHECK(ann.connect().error == asio::error::connection_refused);
}

TEST_CASE("RFC 8489 6.2.1: over UDP a port where nobody listens fails what is under way") {
    asio_client_options o;
    {
        const real_peer gone;
        o = ann_at(uri_of(gone.local(), "udp"));
    }
    asio_ann ann(o);
    REQUIRE(ann.connect());
    CHECK(ann.bind().error == asio::error::connection_refused);
}

TEST_CASE("silence ends a request, and a connection that does not come about") {
    const real_peer silent;
    auto o = ann_at(uri_of(silent.local(), "udp"));
    o.protocol.rto = 1ms;
    o.protocol.rc = 3;
    o.protocol.rm = 2;
    asio_ann ann(o);
    REQUIRE(ann.connect());
    CHECK(ann.bind().error == client_error::no_answer);

    asio::io_context io;
    odd_server mute(io, "");
    auto secure = ann_at(uri_of(loopback().with_port(mute.acceptor.local_endpoint().port()), "tcp", true));
    secure.connect_patience = 20ms;
    asio_ann bea(secure);
    CHECK(bea.connect().error == asio::error::timed_out);
    auto datagrams = ann_at(uri_of(silent.local(), "udp", true));
    datagrams.connect_patience = 20ms;
    asio_ann cleo(datagrams);
    CHECK(cleo.connect().error == asio::error::timed_out);
}

TEST_CASE("a server that lets nobody connect costs no more patience than there is") {
    on_io loop;
    const deaf_server deaf(loop.io);
    for (const bool secure : {false, true}) {
        auto o = ann_at(uri_of(deaf.local(), "tcp", secure));
        o.connect_patience = 20ms;
        asio_client it(loop.io, o);
        CHECK(loop.await<>([&](auto h) { it.async_connect(h); }).error == asio::error::timed_out);
    }
}

TEST_CASE("a server that speaks something else is left") {
    on_io loop;
    odd_server http(loop.io, "HTTP/1.1 400 Bad Request\r\n\r\n");
    asio_client it(loop.io, http.options());
    REQUIRE(loop.await<>([&](auto h) { it.async_connect(h); }));
    const auto answer = loop.await<transport_address>([&](auto h) { it.async_bind(h); });
    CHECK(answer.error == client_error::garbage);
}

TEST_CASE("RFC 8489 6.2.3: an asio_client does not speak to a server that cannot prove its name") {
    const anywhere server;
    const certificate_authority another;
    auto o = server.by(transport::tls);
    o.trust = *net::client_trust::load(server.folder.file("other.pem", another.root()));
    asio_ann ann(o);
    CHECK(ann.connect().error == client_error::untrusted_certificate);
    CHECK(std::string(ann.it.tls_failure()) == "certificate verify failed");

    auto by_name = server.by(transport::tls);
    by_name.server.host = "localhost";
    asio_ann bea(by_name);
    CHECK(bea.connect().error == client_error::wrong_name);

    o.trust = *net::client_trust::load({}, net::client_trust::proof::unneeded);
    asio_ann cleo(o);
    CHECK(cleo.connect());
}

TEST_CASE("a name is looked up, and its addresses are tried until one takes the connection") {
    const anywhere server;
    auto o = server.by(transport::tcp);
    o.server.host = "localhost"; // maybe ::1, too, where nobody listens
    asio_ann ann(o);
    REQUIRE(ann.connect());
    CHECK(ann.allocate());

    o.server.host = "nobody.invalid"; // RFC 6761, 6.4
    asio_ann bea(o);
    const auto refused = bea.connect();
    CHECK(refused.error);
    CHECK(refused.error != client_error::not_connected);
    o.server.transport = "sctp";
    asio_ann cleo(o);
    CHECK(cleo.connect().error == client_error::unsupported_uri);
}

TEST_CASE_FIXTURE(ann_at_work, "what waits is called off by its cancellation slot, or all at once by close()") {
    asio::cancellation_signal signal;
    std::vector<std::error_code> ends;
    std::byte room[8];
    const auto note = [&](std::error_code error, auto...) { ends.push_back(error); };
    ann.it.async_receive(asio::buffer(room), asio::bind_cancellation_slot(signal.slot(), note));
    ann.it.async_receive(asio::buffer(room), note);
    signal.emit(asio::cancellation_type::total);
    ann.run_until([&] { return !ends.empty(); });
    CHECK(ends == std::vector<std::error_code>{asio::error::operation_aborted});
    CHECK(ann.bind()); // the others go on

    ends.clear();
    ann.it.async_bind(note);
    ann.it.close();
    ann.run_until([&] { return ends.size() == 2; });
    CHECK(ends == std::vector<std::error_code>(2, asio::error::operation_aborted));
}

TEST_CASE("a connection that is called off is not waited for") {
    const real_peer silent;
    asio_ann ann(ann_at(uri_of(silent.local(), "udp", true)));
    asio::cancellation_signal signal;
    std::optional<std::error_code> end;
    ann.it.async_connect(asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error) { end = error; }));
    CHECK(ann.connect().error == asio::error::already_started);
    signal.emit(asio::cancellation_type::all);
    ann.run_until([&] { return end.has_value(); });
    CHECK(end == std::error_code(asio::error::operation_aborted));
}

TEST_CASE("an asio_client that ends takes its handlers' waits with it") {
    const anywhere server;
    on_io loop;
    std::vector<std::error_code> ends;
    {
        asio_client it(loop.io, server.by(transport::udp));
        REQUIRE(loop.await<>([&](auto h) { it.async_connect(h); }));
        it.async_bind([&](std::error_code error, auto) { ends.push_back(error); });
        asio_client other = std::move(it);
        it = asio_client(loop.io, server.by(transport::udp));
    }
    loop.io.restart();
    loop.io.run();
    CHECK(ends == std::vector<std::error_code>{asio::error::operation_aborted});
}

TEST_CASE_FIXTURE(ann_at_work, "waiting for peers ends with the allocation") {
    std::optional<std::error_code> heard, warned;
    std::byte room[8];
    ann.it.async_receive(asio::buffer(room), [&](std::error_code error, auto...) { heard = error; });
    ann.it.async_receive_icmp([&](std::error_code error, auto) { warned = error; });
    REQUIRE(ann.refresh(0s));
    ann.run_until([&] { return heard && warned; });
    CHECK(heard == make_error_code(client_error::no_allocation));
    CHECK(warned == make_error_code(client_error::no_allocation));
    CHECK(ann.receive().error == client_error::no_allocation);
    CHECK(ann.receive_icmp().error == client_error::no_allocation);
    CHECK(ann.bind()); // the connection is there
}

TEST_CASE("peers that say more than is received are dropped and counted, and too small a buffer cuts") {
    const anywhere server;
    real_peer bob;
    auto o = server.by(transport::udp);
    o.receive_buffer = 1000;
    asio_ann ann(o);
    REQUIRE(ann.connect());
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.bind_channel(bob.local()));
    for (int i = 0; i < 3; ++i) bob.send(made.first().relayed, std::string(400, 'x'));
    ann.run_until([&] { return ann.it.dropped() == 1; });
    CHECK(ann.receive().first().size() == 400);
    const auto cut = ann.receive(10);
    CHECK(cut.error == asio::error::message_size);
    CHECK(cut.first() == std::string(10, 'x'));
    bob.send(made.first().relayed, "room again");
    CHECK(ann.receive().first() == "room again");
}

TEST_CASE_FIXTURE(ann_at_work, "RFC 8656 11.6: an asio_client hears that nobody listens at its peer") {
    asio::cancellation_signal signal;
    std::optional<std::error_code> end;
    ann.it.async_receive_icmp(
        asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error, auto) { end = error; }));
    signal.emit(asio::cancellation_type::all);
    ann.run_until([&] { return end.has_value(); });
    CHECK(end == std::error_code(asio::error::operation_aborted));

    std::optional<client::peer_unreachable> unreachable;
    ann.it.async_receive_icmp([&](std::error_code error, const client::peer_unreachable& u) {
        if (!error) unreachable = u;
    });
    transport_address nobody;
    // Beside others a freed port may be taken at once, and Linux sends no more ICMP a second than it likes.
    for (int tries = 0; tries < 4 && !unreachable; ++tries) {
        nobody = std::make_unique<real_peer>()->local();
        REQUIRE(ann.permit(nobody));
        REQUIRE(ann.send(nobody, "anybody there?"));
        ann.run_until([&] { return unreachable.has_value(); });
    }
    REQUIRE(unreachable);
    CHECK(unreachable->peer == nobody);
    CHECK(std::pair(+unreachable->type, +unreachable->code) == std::pair(3, 3));
}

TEST_CASE("of what the network says that nobody asks for the newest is kept") {
    using asio_detail::completion;
    struct note final : completion<client::peer_unreachable> {
        std::vector<unsigned>& heard;
        explicit note(std::vector<unsigned>& to) : heard(to) {}
        void finish(std::error_code, client::peer_unreachable u) override { heard.push_back(u.mtu); }
    };
    asio_detail::inbox unread(1000);
    client::peer_unreachable next{};
    for (; next.mtu < 70; ++next.mtu) unread.heard(next);
    std::vector<unsigned> heard;
    while (unread.has_icmp()) unread.wait_for_icmp(0, std::make_unique<note>(heard));
    CHECK(heard.size() == 64);
    CHECK(heard.front() == 6);
    CHECK(heard.back() == 69);
}

TEST_CASE("no more requests than a client can keep are under way") {
    const real_peer silent;
    asio_ann ann(ann_at(uri_of(silent.local(), "udp")));
    REQUIRE(ann.connect());
    for (std::size_t i = 0; i < client::max_transactions; ++i) ann.it.async_bind([](auto...) {});
    CHECK(ann.bind().error == client_error::busy);
}

TEST_CASE("a datagram that no message holds is refused and breaks nothing") {
    const anywhere server;
    real_peer bob;
    for (const auto t : {transport::udp, transport::tls}) {
        asio_ann ann(server.by(t));
        REQUIRE(ann.connect());
        REQUIRE(ann.allocate());
        REQUIRE(ann.bind_channel(bob.local()));
        CHECK(ann.send(bob.local(), std::string(65'505, 'x')).error == client_error::too_large);
        REQUIRE(ann.send(bob.local(), "small"));
        const auto heard = bob.receive();
        REQUIRE(heard);
        CHECK(heard->text == "small");
    }
}

TEST_CASE("a future will do for a completion token") {
    const anywhere server;
    on_io loop;
    asio_client it(loop.io, server.by(transport::udp));
    auto connected = it.async_connect(asio::use_future);
    loop.run_until([&] { return connected.wait_for(0s) == std::future_status::ready; });
    CHECK_NOTHROW(connected.get());
    auto refused = it.async_refresh(60s, asio::use_future);
    loop.run_until([&] { return refused.wait_for(0s) == std::future_status::ready; });
    CHECK_THROWS_AS(refused.get(), const std::system_error&);
}
