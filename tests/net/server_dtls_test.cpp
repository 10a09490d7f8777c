#include <doctest/doctest.h>

#include <thread>

#include "dtls_client.hpp"
#include "secure_server.hpp"
#include "support/real_stream.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;
using namespace turn::net_test;

namespace {

real_client client_over_dtls(const transport_address& to, const dtls_trust& trust) {
    return {std::make_unique<dtls_wire>(to, trust), to};
}

} // namespace

TEST_CASE("RFC 7350 4.6: a client over DTLS relays to UDP peers by indication and by channel") {
    const dtls_trust trust;
    started s(over({transport::dtls}, trust.files));
    auto ann = client_over_dtls(s.to, trust);
    CHECK(ann.bind());
    relay_both_ways(ann, {1, 100, 1200, 16'000});
    auto t = s.it.totals();
    CHECK(of(t.relay.allocations_over, transport::dtls) == 1);
    CHECK(of(t.streams.accepted, transport::dtls) == 1);
    CHECK(t.streams.handshakes == 1);
    CHECK(t.streams.without_allocation == 0);

    s.it.stop();
    t = s.it.totals();
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
    const auto s = start_on_one_port({transport::udp, transport::tcp, transport::tls, transport::dtls}, trust.files);
    REQUIRE(s.it.description().listeners.size() == 4);
    CHECK(s.it.certificate_expiries().size() == 1); // one certificate, watched once
    real_client by_udp(s.to);
    auto by_dtls = client_over_dtls(s.to, trust);
    real_client by_tls(std::make_unique<real_stream>(s.to, real_stream::options{.protocol = transport::tls}), s.to);
    for (real_client* one : {&by_udp, &by_dtls, &by_tls}) relay_both_ways(*one, {100});
    const auto t = s.it.totals();
    CHECK(of(t.relay.allocations_over, transport::udp) == 1);
    CHECK(of(t.relay.allocations_over, transport::dtls) == 1);
    CHECK(of(t.relay.allocations_over, transport::tls) == 1);
}

TEST_CASE("turn: each DTLS client stays with one of many shards") {
    const dtls_trust trust;
    auto o = over({transport::dtls}, trust.files);
    o.threads = 4;
    started s(std::move(o));
    for (int i = 0; i < 12; ++i) {
        auto ann = client_over_dtls(s.to, trust);
        relay_both_ways(ann, {100});
    }
    const auto t = s.it.totals();
    CHECK(t.streams.handshakes == 12);
    CHECK(std::count_if(t.dtls_by_shard.begin(), t.dtls_by_shard.end(),
                        [](const dtls_totals& d) { return d.received != 0; }) > 1);
}

TEST_CASE("RFC 6347 4.2.8: a client that begins anew from its old port gets a new allocation, and the old one ends") {
    const dtls_trust trust;
    auto o = over({transport::dtls}, trust.files);
    attentive_observer events;
    o.events = &events;
    started s(std::move(o));
    transport_address home = own_loopback();
    {
        auto wire = std::make_unique<dtls_wire>(s.to, trust, home.with_port(0));
        home = wire->local();
        dtls_client& lost = wire->client();
        real_client ann(std::move(wire), s.to);
        REQUIRE(ann.allocate());
        lost.session().close(lost.row); // it will not say goodbye any more
        lost.row.cut(0);
    }
    real_client again(std::make_unique<dtls_wire>(s.to, trust, home), s.to);
    CHECK(again.allocate());
    CHECK(events.wait_for_ends(1));
    CHECK(events.ended()[0].why == allocation_end::disconnected);
    CHECK(s.it.totals().relay.allocations == 1);
}

TEST_CASE("turn: a port for DTLS alone takes no plain STUN, and DTLS without a certificate does not start") {
    const dtls_trust trust;
    started s(over({transport::dtls}, trust.files));
    real_peer plain(own_loopback());
    plain.send(s.to, std::string(20, '\0'));
    const auto ignored = [&] { return s.it.totals().dtls.dropped[static_cast<std::size_t>(reason::malformed)]; };
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
    auto o = over({transport::dtls}, trust.files);
    o.certificate_check = 0s; // only when asked
    started s(std::move(o));
    auto ann = client_over_dtls(s.to, trust);
    REQUIRE(ann.allocate());
    dtls_trust renewed;
    trust.folder.files(renewed.authority.issue());
    CHECK(s.it.reload_certificates().empty());
    auto bob = client_over_dtls(s.to, renewed);
    CHECK(bob.allocate());
    CHECK(ann.refresh(600s));
    CHECK_THROWS(client_over_dtls(s.to, trust));
}
