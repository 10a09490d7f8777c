/// turn::client's part in TCP allocations: RFC 6062, 4.

#include <doctest/doctest.h>

#include "support/lonely_client.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

const auto bob = *transport_address::parse("198.51.100.7:80");
const connection_id number{0xcafe0001U};

/// Over a connection, with an allocation.
struct streaming_client : lonely_client {
    streaming_client() : lonely_client({.via = stream_id(0)}) { allocate(); }
};

} // namespace

TEST_CASE("RFC 6062 4.1: a TCP allocation is asked for with REQUESTED-TRANSPORT 6") {
    lonely_client ann({.via = stream_id(0)});
    ann.it.allocate({.tcp = true}, ann.now, ann.out);
    CHECK(parsed(ann.request()).get<stun::requested_transport>().value_or(0) == 6);
}

TEST_CASE("RFC 6062 4.3: Connect names the peer and is told the number of a connection") {
    streaming_client ann;
    const auto asked = ann.it.connect(bob, ann.now, ann.out);
    const blob request = ann.request();
    CHECK(parsed(request).method() == stun::method::connect);
    CHECK(parsed(request).get<stun::xor_peer_address>().value_or(transport_address{}) == bob);
    CHECK(parsed(request).check_integrity(ann.key()));
    const auto made =
        as<client::connected>(ann.hears(ann.success(request).with<stun::connection_id>(number).integrity(ann.key())));
    REQUIRE(made);
    CHECK(made->peer == bob);
    CHECK(made->connection == number);
    CHECK(made->id == asked);
}

TEST_CASE("RFC 6062 4.3: a Connect that the server could not carry out, or answered by half, has failed") {
    streaming_client ann;
    const auto asked = ann.it.connect(bob, ann.now, ann.out);
    const auto refused = as<client::failed>(ann.hears(ann.error(ann.request(), 447).integrity(ann.key())));
    REQUIRE(refused);
    CHECK(refused->code == 447);
    CHECK(refused->method == stun::method::connect);
    CHECK(refused->id == asked);
    CHECK(ann.it.has_allocation());
    ann.it.connect(bob, ann.now, ann.out);
    CHECK(as<client::failed>(ann.hears(ann.success(ann.request()).integrity(ann.key()))));
}

TEST_CASE("RFC 6062 4.3: a data connection is bound with the credentials and the nonce of its allocation") {
    streaming_client ann;
    client data = ann.it.for_data_connection(stream_id(7));
    CHECK_FALSE(data.has_allocation());
    const auto asked = data.bind_connection(number, ann.now, ann.out);
    REQUIRE(ann.out.frames().size() == 1);
    CHECK(ann.out.frames()[0].via == stream_id(7));
    const blob request = ann.request();
    const auto m = parsed(request);
    CHECK(m.method() == stun::method::connection_bind);
    CHECK(m.get<stun::connection_id>().value_or(connection_id{}) == number);
    CHECK(m.get<stun::username>().value_or("") == "ann");
    CHECK(m.get<stun::nonce>().value_or("") == "nonce-1");
    CHECK(m.check_integrity(ann.key()));
    const auto answer = ann.success(request).integrity(ann.key());
    const auto bound = as<client::connection_bound>(data.handle(answer.view(), ann.now, ann.out));
    REQUIRE(bound);
    CHECK(bound->id == asked);
    CHECK(data.next_deadline() == time_point::max());
}

TEST_CASE("RFC 6062 4.3: a data connection that is bound without a signature is not bound") {
    streaming_client ann;
    client data = ann.it.for_data_connection(stream_id(7));
    const auto asked = data.bind_connection(number, ann.now, ann.out);
    const auto answer =
        ann.success(ann.request()); // anybody could have said that, and over a stream it is the only answer
    const auto failed = as<client::failed>(data.handle(answer.view(), ann.now, ann.out));
    REQUIRE(failed);
    CHECK(failed->id == asked);
    CHECK(failed->code == 0);
}

TEST_CASE("RFC 6062 4.3: a nonce that went stale meanwhile costs a data connection one more try") {
    streaming_client ann;
    client data = ann.it.for_data_connection(stream_id(7));
    data.bind_connection(number, ann.now, ann.out);
    const auto stale = ann.challenge(ann.request(), 438, "nonce-2");
    CHECK_FALSE(data.handle(stale.view(), ann.now, ann.out));
    const blob again = ann.request();
    CHECK(parsed(again).get<stun::nonce>().value_or("") == "nonce-2");
    CHECK(parsed(again).get<stun::connection_id>().value_or(connection_id{}) == number);
}

TEST_CASE("RFC 6062 4.4: a peer with a permission that connects is announced") {
    streaming_client ann;
    const auto attempt = [&](const transport_address& from) {
        return test::message(stun::message_class::indication, stun::method::connection_attempt, {})
            .with<stun::xor_peer_address>(from)
            .with<stun::connection_id>(number);
    };
    CHECK_FALSE(ann.hears(attempt(bob))); // nobody asked him
    ann.it.permit(std::array{bob}, ann.now, ann.out);
    ann.hears(ann.success(ann.request()).integrity(ann.key()));
    const auto call = as<client::connection_attempted>(ann.hears(attempt(bob.with_port(4711))));
    REQUIRE(call);
    CHECK(call->peer == bob.with_port(4711));
    CHECK(call->connection == number);

    CHECK_FALSE(ann.hears(test::message(stun::message_class::indication, stun::method::connection_attempt, {})
                              .with<stun::xor_peer_address>(bob)));
    lonely_client eve; // over UDP there are no such allocations
    eve.allocate();
    eve.it.permit(std::array{bob}, eve.now, eve.out);
    CHECK_FALSE(eve.hears(attempt(bob)));
}
