#include <doctest/doctest.h>

#include <thread>

#include "dtls_client.hpp"
#include "support/real_server.hpp"
#include "support/real_stream.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;
using namespace turn::net_test;

namespace {

server_options over(const dtls_trust& trust, std::initializer_list<transport> protocols, std::uint16_t port = 0) {
    auto o = on_loopback();
    o.listeners.clear();
    for (const auto p : protocols)
        o.listeners.push_back(
            {.protocol = p,
             .local = own_loopback().with_port(port),
             .certificates = is_secure(p) ? std::vector{trust.files} : std::vector<certificate_files>{}});
    return o;
}

/// All of them on one port, which can be only when its number is known beforehand.
result<server, start_error> start_on_one_port(const dtls_trust& trust, std::initializer_list<transport> protocols) {
    for (std::uint16_t port = 20000; port < 20100; ++port)
        if (auto s = server::start(over(trust, protocols, port))) return s;
    return start_error{"no free port in a hundred", 0};
}

real_client client_over_dtls(const transport_address& to, const dtls_trust& trust) {
    return {std::make_unique<dtls_wire>(to, trust), to};
}

void relay_both_ways(real_client& ann, std::initializer_list<std::size_t> sizes) {
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.permit(bob.local()));
    for (const bool channel : {false, true}) {
        if (channel) REQUIRE(ann.bind_channel(0x4000, bob.local()));
        for (const std::size_t size : sizes) {
            const std::string text(size, 'x');
            ann.send(bob.local(), text);
            const auto heard = bob.receive();
            REQUIRE(heard);
            CHECK(heard->text == text);
            bob.send(made->relayed, text);
            const auto answer = ann.receive();
            REQUIRE(answer);
            CHECK(answer->text == text);
        }
    }
}

std::uint64_t of(const std::array<std::uint64_t, transport_count>& numbers, transport protocol) {
    return numbers[static_cast<std::size_t>(protocol)];
}

} // namespace

TEST_CASE("RFC 7350 4.6: a client over DTLS relays to UDP peers by indication and by channel") {
    const dtls_trust trust;
    auto s = server::start(over(trust, {transport::dtls}));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    auto ann = client_over_dtls(to, trust);
    CHECK(ann.bind());
    relay_both_ways(ann, {1, 100, 1200, 16'000});
    auto t = s->totals();
    CHECK(of(t.relay.allocations_over, transport::dtls) == 1);
    CHECK(of(t.streams.accepted, transport::dtls) == 1);
    CHECK(t.streams.handshakes == 1);
    CHECK(t.streams.without_allocation == 0);

    s->stop();
    t = s->totals();
    CHECK(t.relay.allocations == 0);
    CHECK(of(t.streams.connections, transport::dtls) == 0);
    CHECK(t.ports_in_use == 0);
    CHECK(t.net.received_packets + t.streams.received_frames ==
          t.relay.from_clients.packets + t.relay.from_peers.packets + t.dtls.received);
    CHECK(t.dtls.received == t.dtls.for_sessions + t.dtls.challenged);
    constexpr auto down = static_cast<std::size_t>(direction::down),
                   control = static_cast<std::size_t>(direction::control);
    CHECK(t.net.sent_packets[down] == t.relay.relayed[down].packets);
    std::uint64_t answered = t.dtls.own;
    for (const auto& results : t.relay.requests)
        for (const std::uint64_t n : results) answered += n;
    CHECK(t.net.sent_packets[control] == answered);
}

TEST_CASE("RFC 7983 7: UDP and DTLS share a port, TCP and TLS have the same number, and each has its allocation") {
    const dtls_trust trust;
    auto s = start_on_one_port(trust, {transport::udp, transport::tcp, transport::tls, transport::dtls});
    REQUIRE(s);
    REQUIRE(s->description().listeners.size() == 4);
    CHECK(s->certificate_expiries().size() == 1); // one certificate, watched once
    const auto to = s->description().listeners.front().local;
    real_client by_udp(to);
    auto by_dtls = client_over_dtls(to, trust);
    real_client by_tls(std::make_unique<real_stream>(to, real_stream::options{.protocol = transport::tls}), to);
    for (real_client* one : {&by_udp, &by_dtls, &by_tls}) relay_both_ways(*one, {100});
    const auto t = s->totals();
    CHECK(of(t.relay.allocations_over, transport::udp) == 1);
    CHECK(of(t.relay.allocations_over, transport::dtls) == 1);
    CHECK(of(t.relay.allocations_over, transport::tls) == 1);
}

TEST_CASE("turn: each DTLS client stays with one of many shards") {
    const dtls_trust trust;
    auto o = over(trust, {transport::dtls});
    o.threads = 4;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    for (int i = 0; i < 12; ++i) {
        auto ann = client_over_dtls(to, trust);
        relay_both_ways(ann, {100});
    }
    const auto t = s->totals();
    CHECK(t.streams.handshakes == 12);
    CHECK(std::count_if(t.dtls_by_shard.begin(), t.dtls_by_shard.end(),
                        [](const dtls_totals& d) { return d.received != 0; }) > 1);
}

TEST_CASE("RFC 6347 4.2.8: a client that begins anew from its old port gets a new allocation, and the old one ends") {
    const dtls_trust trust;
    auto o = over(trust, {transport::dtls});
    attentive_observer events;
    o.events = &events;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    transport_address home = own_loopback();
    {
        auto wire = std::make_unique<dtls_wire>(to, trust, home.with_port(0));
        home = wire->local();
        dtls_client& lost = wire->client();
        real_client ann(std::move(wire), to);
        REQUIRE(ann.allocate());
        lost.session().close(lost.row); // it will not say goodbye any more
        lost.row.cut(0);
    }
    real_client again(std::make_unique<dtls_wire>(to, trust, home), to);
    CHECK(again.allocate());
    CHECK(events.wait_for_ends(1));
    CHECK(events.ended()[0].why == allocation_end::disconnected);
    CHECK(s->totals().relay.allocations == 1);
}

TEST_CASE("turn: a port for DTLS alone takes no plain STUN, and DTLS without a certificate does not start") {
    const dtls_trust trust;
    auto s = server::start(over(trust, {transport::dtls}));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    real_peer plain(own_loopback());
    plain.send(to, std::string(20, '\0'));
    const auto ignored = [&] { return s->totals().dtls.dropped[static_cast<std::size_t>(reason::malformed)]; };
    for (const auto until = std::chrono::steady_clock::now() + patience;
         ignored() == 0 && std::chrono::steady_clock::now() < until;)
        std::this_thread::sleep_for(1ms);
    CHECK(ignored() == 1);

    auto o = on_loopback();
    o.listeners = {{.protocol = transport::dtls, .local = loopback()}};
    const auto none = server::start(std::move(o));
    REQUIRE_FALSE(none);
    CHECK(none.error().what.find("certificate") != std::string::npos);
}

TEST_CASE("turn: a renewed certificate is used by new DTLS sessions, and those that are there go on") {
    const dtls_trust trust;
    auto o = over(trust, {transport::dtls});
    o.certificate_check = 0s; // only when asked
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    auto ann = client_over_dtls(to, trust);
    REQUIRE(ann.allocate());
    dtls_trust renewed;
    trust.folder.files(renewed.authority.issue());
    CHECK(s->reload_certificates().empty());
    auto bob = client_over_dtls(to, renewed);
    CHECK(bob.allocate());
    CHECK(ann.refresh(600s));
    CHECK_THROWS(client_over_dtls(to, trust));
}
