/// TCP allocations: RFC 6062, 5.1.

#include "tcp_story.hpp"

namespace turn::test {

TEST_CASE("RFC 6062 5.1: over TCP an Allocate for TCP gets a relayed address that listens") {
    tcp_world w;
    auto ann = w.client("ann");
    const answer a = ann.allocate();
    CHECK(a.code() == success);
    CHECK(a.signed_with(ann.key()));
    CHECK(a.get<stun::xor_mapped_address>() == ann.address);
    CHECK(a.get<stun::lifetime>() == 600s);
    const auto socket = w.addresses.socket_at(ann.relayed);
    REQUIRE(socket);
    CHECK(kind_of(*socket) == socket_kind::tcp_relay);
    w.end_all();
}

TEST_CASE("RFC 6062 5.1: a transport other than UDP or TCP is answered 442") {
    tcp_world w;
    auto ann = w.client("ann");
    for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{0, 1, 33, 132, 255})
        CHECK(ann.ask(ann.authenticated(stun::method::allocate).with<stun::requested_transport>(protocol)).code() ==
              442);
}

TEST_CASE("RFC 6062 5.1: a server without TCP relaying answers 442 and does not know the methods") {
    world w;
    auto ann = w.raw("ann");
    CHECK(ann.ask(ann.authenticated(stun::method::allocate).with<stun::requested_transport>(6)).code() == 442);
    REQUIRE(ann.allocate().code() == success);
    CHECK(ann.ask(ann.authenticated(stun::method::connect).with<stun::xor_peer_address>(bob)).code() == silence);
    CHECK(ann.ask(ann.authenticated(stun::method::connection_bind).with<stun::connection_id>({})).code() == silence);
    ann.send(ann.indication(stun::method::connection_attempt));
    CHECK(w.dropped(direction::up, reason::unknown_method) == 3);
}

TEST_CASE("RFC 6062 5.1: an Allocate for UDP is served beside TCP") {
    tcp_world w;
    auto ann = w.client("ann");
    const answer a = ann.ask(
        ann.authenticated(stun::method::allocate).with<stun::requested_transport>(stun::requested_transport::udp));
    REQUIRE(a.code() == success);
    const auto relayed = a.get<stun::xor_relayed_address>();
    REQUIRE(relayed);
    CHECK(kind_of(*w.addresses.socket_at(*relayed)) == socket_kind::udp);
    CHECK(w.reports().at(0).relayed_protocol == transport::udp);
}

TEST_CASE("RFC 6062 5.1: over UDP an Allocate for TCP is answered 400") {
    tcp_world w;
    auto ann = w.client("ann");
    ann.nonce = "to be learnt";
    ann.id = tcp_world::udp_listener;
    ann.nonce = std::string(
        *ann.ask(ann.request(stun::method::allocate).with<stun::requested_transport>(6)).get<stun::nonce>());
    const answer a = ann.ask(ann.allocate_request());
    CHECK(a.code() == 400);
    CHECK(a.signed_with(ann.key()));
    CHECK(w.counters().refused[static_cast<std::size_t>(reason::unsupported_transport)].value() == 1);
}

TEST_CASE("RFC 6062 5.1: DONT-FRAGMENT or EVEN-PORT or RESERVATION-TOKEN in an Allocate for TCP is answered 400") {
    tcp_world w;
    auto ann = w.client("ann");
    CHECK(ann.ask(ann.allocate_request().with<stun::dont_fragment>({})).code() == 400);
    CHECK(ann.ask(ann.allocate_request().with<stun::even_port>({.reserve_next = false})).code() == 400);
    CHECK(ann.ask(ann.allocate_request().with<stun::even_port>({.reserve_next = true})).code() == 400);
    CHECK(ann.ask(ann.allocate_request().with<stun::reservation_token>({})).code() == 400);
    CHECK(w.addresses.binds == 0);
    CHECK(w.addresses.redeems == 0);
}

TEST_CASE("RFC 6062 5.1: a success has no RESERVATION-TOKEN") {
    tcp_world w;
    auto ann = w.client("ann");
    const answer a = ann.allocate();
    REQUIRE(a.code() == success);
    CHECK_FALSE(a.has<stun::reservation_token>());
}

TEST_CASE("RFC 6062 5.1: a TCP allocation over IPv6 relays to IPv6") {
    tcp_world w;
    auto ann = w.client("ann");
    const answer a = ann.ask(ann.allocate_request().with<stun::requested_address_family>(address_family::ipv6));
    REQUIRE(a.code() == success);
    CHECK_FALSE(a.get<stun::xor_relayed_address>()->is_ipv4());
    CHECK(ann.connect_to(*transport_address::parse("[2a01:5::1]:5000")));
    CHECK(ann.connect(bob).code() == 443);
}

TEST_CASE("RFC 6062 3: a TCP allocation carries no datagrams") {
    tcp_world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.permit(bob).code() == success);
    CHECK(ann.ask(ann.authenticated(stun::method::channel_bind)
                      .with<stun::channel_number>(0x4000)
                      .with<stun::xor_peer_address>(bob))
              .code() == 400);
    message indication{stun::message_class::indication, stun::method::send, w.fresh_id()};
    ann.send(indication.with<stun::xor_peer_address>(bob).with<stun::data>(std::as_bytes(std::span("hello"))));
    CHECK(w.counters().dropped[0][static_cast<std::size_t>(reason::unsupported_transport)].value() == 1);
    CHECK(w.counters().relayed[0].packets.value() == 0);
}

TEST_CASE("RFC 6062 4.2: a TCP allocation is refreshed and ends as one for UDP does") {
    tcp_world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate().code() == success);
    w.pass(599s);
    CHECK(ann.refresh(600s).code() == success);
    w.pass(599s);
    CHECK(w.reports().size() == 1);
    w.pass(1s);
    CHECK(w.reports().empty());
    CHECK_FALSE(w.addresses.socket_at(ann.relayed));
    CHECK(w.quota_in_use() == 0);
}

TEST_CASE("RFC 6062 2: what is told of a TCP allocation says that it is one") {
    tcp_world w;
    auto ann = w.client("ann");
    REQUIRE(ann.allocate().code() == success);
    REQUIRE(ann.connect_to(bob));
    const auto reports = w.reports();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].relayed_protocol == transport::tcp);
    REQUIRE(reports[0].connections.size() == 1);
    CHECK(reports[0].connections[0].peer == bob);
    CHECK_FALSE(reports[0].connections[0].bound);
    CHECK(w.events.allocations_created.size() == 1);
}

} // namespace turn::test
