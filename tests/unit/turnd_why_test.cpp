#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "printable.hpp"
#include "reason_words.hpp"
#include "turnd_room.hpp"
#include "why.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;
using turn::reason;
using turn::verdict;

namespace {

turn::transport_address address(std::string_view text) {
    return *turn::transport_address::parse(text);
}

/// What happens to ann at one address, on the 21st of November 2026 from 01:00:00 on.
struct day {
    remembered_event::time_point clock{std::chrono::seconds{1'795'222'800}};
    event_memory memory{{}, [this] { return clock; }};
    turn::transport_address ann = address("192.0.2.7:4444");
    std::vector<turn::allocation_report> live{};

    turn::refusal refusal(reason why, std::string_view user = "ann") const {
        return {.client = ann,
                .method = turn::stun::method::allocate,
                .code = 401,
                .why = why,
                .username = user,
                .realm = "example.org"};
    }
    void refuse(const turn::refusal& r) {
        memory.request_refused(r);
        clock += 1s;
    }
    void refuse(reason why, std::string_view user = "ann") { refuse(refusal(why, user)); }
    void challenge() { refuse(refusal(reason::first_challenge, "")); }
    turn::allocation_info relay(std::uint64_t id) const {
        return {.id = turn::allocation_id{id},
                .client = ann,
                .relayed = address("198.51.100.1:50000"),
                .username = "ann",
                .realm = "example.org"};
    }
    void begin(std::uint64_t id) {
        memory.allocation_created(relay(id));
        clock += 1s;
    }
    static turn::usage usage(verdict v, std::chrono::seconds age = 60s) {
        turn::usage used{.packets_up = 12, .age = age};
        used.verdict = v;
        return used;
    }
    void end(std::uint64_t id, verdict v) {
        memory.allocation_ended(relay(id), usage(v), turn::allocation_end::expired);
        clock += 1s;
    }
    void is_alive(std::uint64_t id, verdict v, std::chrono::seconds age = 60s) {
        turn::allocation_report r;
        r.id = turn::allocation_id{id};
        r.client = ann;
        r.username = "ann";
        r.used = usage(v, age);
        live.push_back(r);
    }

    why_answer user() { return why_user(memory, "ann", {}, live); }
};

} // namespace

TEST_CASE("turnd: every reason and every verdict has a meaning and a remedy") {
    for (std::size_t i = 0; i < turn::reason_count; ++i) {
        CAPTURE(turn::name(static_cast<reason>(i)));
        CHECK(!words_of(static_cast<reason>(i)).meaning.empty());
        CHECK(!words_of(static_cast<reason>(i)).remedy.empty());
    }
    for (std::size_t i = 0; i < turn::verdict_count; ++i) {
        CAPTURE(turn::name(static_cast<verdict>(i)));
        CHECK(!words_of(static_cast<verdict>(i)).meaning.empty());
        CHECK(!words_of(static_cast<verdict>(i)).remedy.empty());
    }
    CHECK(words_of(reason::first_challenge).how_bad == weight::none); // how every session begins
    CHECK(words_of(reason::peer_denied).how_bad == weight::everyday); // browsers offer private candidates all day
    CHECK(words_of(verdict::peer_denied).how_bad == weight::problem); // nobody is left to talk to
    CHECK(words_of(reason::bad_password).how_bad == weight::problem);
}

TEST_CASE("turnd: docs/operating.md explains reasons in the words turnd says") {
    std::ifstream file(std::string(TESTS_SOURCE_DIR) + "/../docs/operating.md");
    const std::string page((std::istreambuf_iterator<char>(file)), {});
    for (std::size_t i = 1; i < turn::reason_count; ++i) {
        const auto why = static_cast<reason>(i);
        std::string row = "\n| `";
        row += turn::name(why);
        row += "` | ";
        row += words_of(why).meaning;
        row += " | ";
        row += words_of(why).remedy;
        row += " |\n";
        CAPTURE(row);
        CHECK(contains(page, row));
    }
}

TEST_CASE("turnd: why: a wrong password says so whatever the wire said") {
    day d;
    d.challenge();
    turn::refusal wrong = d.refusal(reason::bad_password);
    wrong.code = 431;
    d.refuse(wrong);
    const why_answer a = d.user();
    CHECK(a.subject == "user ann");
    CHECK(a.outcome == why_outcome::failing);
    CHECK(a.reason == "bad-password");
    CHECK(a.code == 431);
    CHECK(a.times == 1);
    CHECK(a.time == d.clock - 1s);
    CHECK(a.explanation == "bad-password: the signature does not fit the user's key: a wrong password, or another "
                           "shared secret. At 2026-11-21T01:00:01Z allocate of ann (192.0.2.7:4444) was answered 431.");
    CHECK(contains(a.remedy, "check the password"));
    REQUIRE(a.events.size() == 1);
    CHECK(a.events[0].what == "refused");
    CHECK(a.events[0].method == "allocate");
    CHECK(a.events[0].client == "192.0.2.7:4444");
    CHECK(!a.events[0].authenticated);
    CHECK(a.remembered_since == d.clock - 2s);

    const why_answer by_address = why_client(d.memory, address("192.0.2.7:0"), {});
    CHECK(by_address.subject == "client 192.0.2.7");
    CHECK(by_address.reason == "bad-password");
    CHECK(by_address.events.size() == 2); // and the challenge, which named nobody
}

TEST_CASE("turnd: why: failures that repeat are counted") {
    day d;
    for (int i = 0; i < 3; ++i) d.refuse(reason::bad_password);
    CHECK(d.user().times == 3);
    CHECK(contains(d.user().explanation, "answered 401 (3 times since 2026-11-21T01:00:00Z)."));
}

TEST_CASE("turnd: why: an expired credential says for how long") {
    day d;
    turn::refusal late = d.refusal(reason::expired, "1795222758:ann");
    late.expired_for = 42s;
    d.refuse(late);
    const why_answer a = d.user();
    CHECK(a.reason == "expired");
    CHECK(contains(a.explanation, "allocate of 1795222758:ann (192.0.2.7:4444) was answered 401; the credential had "
                                  "ended 42 s before."));
    CHECK(a.events[0].expired_for == 42s);
}

TEST_CASE("turnd: why: what was overcome is told as over") {
    day d;
    d.refuse(reason::bad_password);
    d.begin(7);
    const why_answer a = d.user();
    CHECK(a.outcome == why_outcome::recovered);
    CHECK(a.reason == "bad-password");
    CHECK(contains(a.explanation, "Works now. The last problem was bad-password: "));

    d.refuse(reason::bad_password); // and again
    CHECK(d.user().outcome == why_outcome::failing);
    d.is_alive(7, verdict::ok); // a call that goes on says nothing of another log-in
    CHECK(d.user().outcome == why_outcome::failing);
}

TEST_CASE("turnd: why: a call as it should be") {
    day d;
    d.challenge();
    d.begin(7);
    d.is_alive(7, verdict::ok);
    const why_answer live = d.user();
    CHECK(live.outcome == why_outcome::ok);
    CHECK(live.reason.empty());
    CHECK(live.times == 0);
    CHECK(contains(live.explanation, "Works: relay 7 of ann (192.0.2.7:4444) over udp began at 198.51.100.1:50000"));
    CHECK(contains(live.explanation, "1 relay alive"));
    CHECK(live.remedy == "nothing");
    CHECK(live.relays.size() == 1);

    d.live.clear();
    d.end(7, verdict::ok);
    CHECK(d.user().outcome == why_outcome::ok);
    CHECK(d.user().events[0].reason == "ok");
    CHECK(d.user().events[0].ended_by == "expired");
    CHECK(why_client(d.memory, d.ann, {}).outcome == why_outcome::ok);
}

TEST_CASE("turnd: why: a peer that never answers") {
    day d;
    d.begin(7);
    d.is_alive(7, verdict::peer_silent, 5s); // no time to answer yet
    CHECK(d.user().outcome == why_outcome::ok);
    d.live.clear();
    d.is_alive(7, verdict::peer_silent);
    const why_answer live = d.user();
    CHECK(live.outcome == why_outcome::failing);
    CHECK(live.reason == "peer-silent");
    CHECK(live.code == 0);
    CHECK(contains(live.explanation, "Relay 7 of ann (192.0.2.7:4444) is alive since 60 s: 12 packets to peers, 0 "
                                     "packets from them."));
    CHECK(contains(live.remedy, "firewall"));

    d.live.clear();
    d.end(7, verdict::peer_silent);
    for (const why_answer& a : {d.user(), why_relay(d.memory, turn::allocation_id{7}, {})}) {
        CHECK(a.outcome == why_outcome::failing);
        CHECK(a.reason == "peer-silent");
        CHECK(contains(a.explanation, "relay 7 of ann (192.0.2.7:4444) ended (expired) after 60 s"));
        CHECK(contains(a.remedy, "firewall"));
    }
    d.begin(8); // that it may begin does not show that peers answer
    CHECK(d.user().reason == "peer-silent");
    CHECK(d.user().outcome == why_outcome::failing);
    d.end(8, verdict::ok);
    CHECK(d.user().outcome == why_outcome::recovered);
}

TEST_CASE("turnd: why: of several live relays one that works is enough") {
    day d;
    d.begin(7);
    d.is_alive(7, verdict::peer_silent);
    d.is_alive(8, verdict::ok);
    CHECK(d.user().outcome == why_outcome::ok);
    CHECK(d.user().relays.size() == 2);
}

TEST_CASE("turnd: why: a relay tells its own refusals until data flows") {
    day d;
    d.begin(7);
    turn::refusal full = d.refusal(reason::channel_limit);
    full.allocation = turn::allocation_id{7};
    full.authenticated = true;
    d.refuse(full);
    CHECK(why_relay(d.memory, turn::allocation_id{7}, {}).reason == "channel-limit");
    CHECK(why_relay(d.memory, turn::allocation_id{7}, {}).subject == "relay 7");
    d.end(7, verdict::ok);
    CHECK(why_relay(d.memory, turn::allocation_id{7}, {}).outcome == why_outcome::recovered);
}

TEST_CASE("turnd: why: a refused peer is named with its rule when nothing else went wrong") {
    day d;
    turn::refusal denied = d.refusal(reason::peer_denied);
    denied.method = turn::stun::method::create_permission;
    denied.code = 403;
    denied.peer = address("10.0.0.1:0");
    denied.rule = "private 10.0.0.0/8";
    d.refuse(denied);
    const why_answer a = d.user();
    CHECK(a.outcome == why_outcome::inconclusive);
    CHECK(a.reason == "peer-denied");
    CHECK(contains(a.explanation, "create-permission of ann (192.0.2.7:4444) was answered 403; peer 10.0.0.1:0; rule: "
                                  "private 10.0.0.0/8."));
    d.begin(7);
    d.refuse(denied); // browsers do that all day
    CHECK(d.user().outcome == why_outcome::ok);
    d.end(7, verdict::peer_denied); // but there was nobody else
    CHECK(d.user().outcome == why_outcome::failing);
}

TEST_CASE("turnd: why: a challenge nobody came back from and a relay nobody used are told as they are") {
    day d;
    d.challenge();
    const why_answer asked = why_client(d.memory, d.ann, {});
    CHECK(asked.outcome == why_outcome::inconclusive);
    CHECK(asked.reason == "first-challenge");
    d.begin(7);
    d.end(7, verdict::client_silent);
    CHECK(d.user().outcome == why_outcome::inconclusive);
    CHECK(d.user().reason == "client-silent");
    d.begin(8);
    d.is_alive(8, verdict::client_silent, 5s); // not yet
    CHECK(d.user().outcome == why_outcome::ok);
    d.live.clear();
    d.is_alive(8, verdict::client_silent);
    CHECK(d.user().outcome == why_outcome::inconclusive);
    CHECK(d.user().reason == "client-silent");
    CHECK(contains(d.user().explanation, "Relay 8 of ann (192.0.2.7:4444) is alive since 60 s"));
}

TEST_CASE("turnd: why: a relay nobody used does not hide that a log-in was put right") {
    day d;
    d.refuse(reason::bad_password);
    d.begin(7);
    d.end(7, verdict::client_silent);
    CHECK(d.user().outcome == why_outcome::recovered);
    CHECK(d.user().reason == "bad-password");
}

TEST_CASE("turnd: why: nobody known is said with how far the memory goes back") {
    day d;
    for (const why_answer& a :
         {d.user(), why_client(d.memory, d.ann, {}), why_relay(d.memory, turn::allocation_id{7}, {})}) {
        CHECK(a.outcome == why_outcome::unknown);
        CHECK(a.reason.empty());
        CHECK(a.events.empty());
        CHECK(contains(a.explanation, "Nothing is known of " + a.subject));
        CHECK(contains(a.explanation, "The memory goes back to 2026-11-21T01:00:00Z."));
        CHECK(contains(a.remedy, "did not reach this server"));
    }
}

TEST_CASE("turnd: why: every text of an answer is fit to print whatever a name holds") {
    for (const std::string& name :
         {std::string("\xff\xfe"), std::string("a\0b", 3), std::string("\x1b]0;title\x07"), std::string("ann\nbob"),
          std::string("%s%n{}"), std::string("<script>"), std::string("\u202eevil"), std::string(513, 'n')}) {
        day d;
        turn::refusal r = d.refusal(reason::unknown_user, name);
        r.rule = name;
        d.refuse(r);
        const why_answer a = why_user(d.memory, name, {}, {});
        REQUIRE(a.events.size() == 1);
        for (const std::string& text :
             {a.subject, a.explanation, a.events[0].user, a.events[0].rule, a.events[0].text}) {
            CHECK(is_utf8(text));
            CHECK(!has_control_characters(text));
            CHECK(contains(text, printable(name)));
        }
    }
}
