/// Why a call failed, asked of a server on loopback with real clients.

#include <doctest/doctest.h>

#include "observer_list.hpp"
#include "rest_credentials.hpp"
#include "support/real_server.hpp"
#include "turnd_room.hpp"
#include "why.hpp"

using namespace turn::test;
using namespace turnd;
using turnd::test::contains;
using namespace std::chrono_literals;

namespace {

/// A server that remembers.
struct diagnosed {
    event_memory memory{};
    attentive_observer ends{};
    observer_list all{{&memory, &ends}};
    std::optional<turn::server> server{};

    explicit diagnosed(turn::server_options o = on_loopback()) {
        o.events = &all;
        auto started = turn::server::start(std::move(o));
        REQUIRE(started);
        server.emplace(*std::move(started));
    }
    ~diagnosed() { server.reset(); }

    why_answer user(std::string_view name) const { return why_user(memory, name, {}, {}); }
};

turn::server_options answering(std::uint16_t integrity_failure_code) {
    turn::server_options o = on_loopback();
    o.relay.integrity_failure_code = integrity_failure_code;
    return o;
}

} // namespace

TEST_CASE("turnd: why tells a wrong password from an unknown user where the wire does not") {
    for (const std::uint16_t code : {std::uint16_t{401}, std::uint16_t{431}}) {
        diagnosed d(answering(code));
        real_client ann(listener_of(*d.server), "ann", "not hers");
        real_client mallory(listener_of(*d.server), "mallory", "guess");
        CHECK(ann.allocate().error() == code);
        CHECK(mallory.allocate().error() == code);
        CHECK(d.user("ann").reason == "bad-password");
        CHECK(d.user("ann").code == code);
        CHECK(d.user("mallory").reason == "unknown-user");
        CHECK(d.user("mallory").code == code);
        CHECK(why_client(d.memory, ann.local(), {}).outcome == why_outcome::failing);

        real_client again(listener_of(*d.server));
        REQUIRE(again.allocate());
        CHECK(d.user("ann").outcome == why_outcome::recovered);
        CHECK(d.user("ann").reason == "bad-password");
        CHECK(d.user("mallory").outcome == why_outcome::failing);
    }
}

TEST_CASE("turnd: why tells since when a time-limited credential has been expired") {
    const rest_credentials rest({"secret"}, 0);
    turn::server_options o = on_loopback();
    o.credentials = [&](const turn::credential_question& who, const turn::credential_reply& reply) {
        reply(rest.look_up(who, std::chrono::sys_seconds{1100s}));
    };
    diagnosed d(std::move(o));
    real_client ann(listener_of(*d.server), "1000:ann", turn::stun::rest_password("secret", "1000:ann"));
    CHECK(ann.allocate().error() == 401);
    const why_answer a = d.user("ann");
    CHECK(a.reason == "expired");
    REQUIRE(!a.events.empty());
    CHECK(a.events[0].expired_for == 100s);
    CHECK(contains(a.explanation, "ended 100 s before"));

    real_client later(listener_of(*d.server), "2000:ann", turn::stun::rest_password("secret", "2000:ann"));
    REQUIRE(later.allocate());
    CHECK(d.user("ann").outcome == why_outcome::recovered);
}

TEST_CASE("turnd: why tells of a peer that never answers and of one that does") {
    diagnosed d;
    real_client ann(listener_of(*d.server));
    real_peer bob;
    REQUIRE(ann.allocate());
    REQUIRE(ann.permit(bob.local()));
    ann.send(bob.local(), "hello?");
    const auto heard = bob.receive();
    REQUIRE(heard); // and says nothing
    REQUIRE(ann.refresh(0s));
    REQUIRE(d.ends.wait_for_ends(1));
    const why_answer silent = d.user("ann");
    CHECK(silent.outcome == why_outcome::failing);
    CHECK(silent.reason == "peer-silent");
    CHECK(contains(silent.remedy, "firewall"));
    CHECK(why_relay(d.memory, d.ends.ended()[0].id, {}).reason == "peer-silent");

    real_client again(listener_of(*d.server));
    REQUIRE(again.allocate());
    REQUIRE(again.permit(bob.local()));
    again.send(bob.local(), "hello?");
    const auto call = bob.receive();
    REQUIRE(call);
    bob.send(call->from, "hello!");
    REQUIRE(again.receive());
    REQUIRE(again.refresh(0s));
    REQUIRE(d.ends.wait_for_ends(2));
    CHECK(d.user("ann").outcome == why_outcome::recovered);
    CHECK(why_relay(d.memory, d.ends.ended()[1].id, {}).outcome == why_outcome::ok);
}
