#include <doctest/doctest.h>

#include <thread>

#include "event_memory.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;
using kind = remembered_event::kind;
using turn::reason;

namespace {

turn::transport_address address(std::string_view text) {
    return *turn::transport_address::parse(text);
}

/// A memory and its clock, which stands still until it is moved.
struct diary {
    remembered_event::time_point clock{1'000'000s};
    event_memory memory;

    explicit diary(memory_limits limits = {}) : memory(limits, [this] { return clock; }) {}

    void refuse(reason why, std::string_view user, std::string_view client = "192.0.2.7:4444",
                bool authenticated = false, std::uint64_t relay = 0) {
        memory.request_refused({.client = address(client),
                                .method = turn::stun::method::allocate,
                                .code = 401,
                                .why = why,
                                .username = user,
                                .realm = "example.org",
                                .allocation = turn::allocation_id{relay},
                                .authenticated = authenticated});
    }
    static turn::allocation_info relay_of(std::string_view user, std::uint64_t id, std::string_view client) {
        return {.id = turn::allocation_id{id}, .client = address(client), .username = user, .realm = "example.org"};
    }
    void begin(std::string_view user, std::uint64_t id, std::string_view client = "192.0.2.7:4444") {
        memory.allocation_created(relay_of(user, id, client));
    }
    void end(std::string_view user, std::uint64_t id, const turn::usage& used = {},
             std::string_view client = "192.0.2.7:4444") {
        memory.allocation_ended(relay_of(user, id, client), used, turn::allocation_end::expired);
    }
};

/// "refused bad-password 3", "begun 1", ...: newest first.
std::vector<std::string> story(const recollection& r) {
    std::vector<std::string> told;
    for (const remembered_event& e : r.events) {
        const std::string what = e.what == kind::refused       ? "refused " + std::string(turn::name(e.why))
                                 : e.what == kind::relay_begun ? "begun"
                                                               : "ended";
        told.push_back(what + " " + std::to_string(e.times));
    }
    return told;
}

using words = std::vector<std::string>;

} // namespace

TEST_CASE("turnd: what happened to a user is remembered by name and address and relay") {
    diary d;
    d.refuse(reason::bad_password, "ann");
    d.clock += 5s;
    d.begin("ann", 7);
    d.clock += 60s;
    d.end("ann", 7, {.packets_up = 12, .age = 60s});

    const words all{"ended 1", "begun 1", "refused bad-password 1"};
    CHECK(story(d.memory.of_user("ann")) == all);
    CHECK(story(d.memory.of_user("ann", "example.org")) == all);
    CHECK(story(d.memory.of_client(address("192.0.2.7:1"))) == all);             // ports change
    CHECK(story(d.memory.of_relay(turn::allocation_id{7})) == words{"ended 1"}); // which tells all of it
    CHECK(d.memory.of_user("ann", "example.com").events.empty());
    CHECK(d.memory.of_user("bob").events.empty());
    CHECK(d.memory.of_client(address("192.0.2.8:4444")).events.empty());
    CHECK(d.memory.of_relay(turn::allocation_id{8}).events.empty());

    const auto ended = d.memory.of_user("ann").events.front();
    CHECK(ended.used.packets_up == 12);
    CHECK(ended.used.age == 60s);
    CHECK(ended.last == d.clock);
    CHECK(d.memory.since() == d.clock - 65s);
}

TEST_CASE("turnd: a refusal on a relay's address is remembered with the relay") {
    diary d;
    d.begin("ann", 7);
    d.clock += 1s;
    d.refuse(reason::peer_denied, "ann", "192.0.2.7:4444", true, 7);
    CHECK(story(d.memory.of_relay(turn::allocation_id{7})) == words{"refused peer-denied 1", "begun 1"});
}

TEST_CASE("turnd: what is alike is remembered as one with its number and both ends") {
    diary d;
    const auto began = d.clock;
    for (int i = 0; i < 3; ++i, d.clock += 10s) d.refuse(reason::bad_password, "ann", "192.0.2.7:4444");
    d.refuse(reason::unknown_user, "ann");
    d.clock += 10s;
    d.refuse(reason::bad_password, "ann", "192.0.2.9:9");
    const auto events = d.memory.of_user("ann").events;
    REQUIRE(story(d.memory.of_user("ann")) == words{"refused bad-password 4", "refused unknown-user 1"});
    CHECK(events[0].first == began);
    CHECK(events[0].last == d.clock);
    CHECK(events[0].client == address("192.0.2.9:9")); // the last of them
}

TEST_CASE("turnd: time-limited names of one user are one user") {
    diary d;
    d.refuse(reason::expired, "1700000000:ann");
    d.clock += 1s;
    d.begin("1800000000:ann", 7);
    CHECK(story(d.memory.of_user("ann")) == words{"begun 1", "refused expired 1"});
    CHECK(story(d.memory.of_user("1900000000:ann")) == words{"begun 1", "refused expired 1"});
    CHECK(d.memory.of_user("ann").events[1].user == "1700000000:ann"); // as it was said
    CHECK(account_of("1700000000:ann") == "ann");
    CHECK(account_of("1700000000") == "1700000000"); // nobody behind it
    CHECK(account_of("1700000000:") == "1700000000:");
    CHECK(account_of("room:ann") == "room:ann");
}

TEST_CASE("turnd: invented users and addresses leave the memory bounded and push out nobody who is real") {
    constexpr memory_limits limits{.proven = 100, .claimed = 50, .relays = 100};
    constexpr int strangers = 100'000;
    diary d(limits);
    d.begin("ann", 1, "198.51.100.1:1");
    for (int i = 0; i < strangers; ++i) {
        const auto n = std::to_string(i);
        const std::string client =
            "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) + ":1";
        d.refuse(reason::unknown_user, n + "@nowhere", client);
    }
    CHECK(d.memory.size() <= 2 * limits.claimed + 3);
    CHECK(story(d.memory.of_user("ann")) == words{"begun 1"});
    CHECK(story(d.memory.of_client(address("198.51.100.1:1"))) == words{"begun 1"});
    CHECK(d.memory.of_user("0@nowhere").events.empty()); // the first of them is long gone
    CHECK(story(d.memory.of_user("99999@nowhere")) == words{"refused unknown-user 1"});
    CHECK(!d.memory.of_user("99999@nowhere").proven);
    CHECK(d.memory.of_user("ann").proven);
}

TEST_CASE("turnd: what strangers say in a user's name is noted but pushes out nothing he did") {
    diary d({.proven = 2, .events = 4});
    d.begin("ann", 1);
    d.clock += 1s;
    d.begin("bob", 2);
    d.clock += 1s;
    for (int i = 0; i < 1000; ++i) d.refuse(reason::bad_password, "ann"); // does not make her more recent than bob
    CHECK(story(d.memory.of_user("ann")) == words{"refused bad-password 1000", "begun 1"});
    d.clock += 1s;
    d.begin("eve", 3);
    CHECK(d.memory.of_user("ann").events.empty());
    CHECK(story(d.memory.of_user("bob")) == words{"begun 1"});
}

TEST_CASE("turnd: of one user the newest different things are remembered") {
    diary d({.events = 3});
    d.begin("ann", 1);
    for (const reason why : {reason::bad_password, reason::quota_user, reason::no_ports}) {
        d.clock += 1s;
        d.refuse(why, "ann");
    }
    CHECK(story(d.memory.of_user("ann")) ==
          words{"refused no-ports 1", "refused quota-user 1", "refused bad-password 1"});
}

TEST_CASE("turnd: of forged addresses so many a second are noted, and of proven ones all") {
    diary d({.proven = 10, .claimed = 10, .relays = 10, .strangers_per_second = 3});
    const auto challenges = [&] {
        const auto known = d.memory.of_client(address("192.0.2.7:1"));
        return known.events.empty() ? 0 : known.events.back().times;
    };
    for (int i = 0; i < 10; ++i) d.refuse(reason::first_challenge, "");
    CHECK(challenges() == 3);
    CHECK(d.memory.lost() == 7);
    for (int i = 0; i < 10; ++i) d.refuse(reason::bad_password, "ann"); // has answered a challenge
    CHECK(d.memory.of_user("ann").events[0].times == 10);
    d.clock += 1s;
    d.refuse(reason::first_challenge, "", "192.0.2.8:1");
    CHECK(d.memory.of_client(address("192.0.2.8:1")).events.size() == 1);
}

TEST_CASE("turnd: who logs in after failures takes his story along") {
    diary d({.claimed = 1});
    d.refuse(reason::bad_password, "ann");
    d.clock += 1s;
    d.begin("ann", 1);
    d.refuse(reason::unknown_user, "mallory"); // fills the other table
    CHECK(story(d.memory.of_user("ann")) == words{"begun 1", "refused bad-password 1"});
}

TEST_CASE("turnd: names of any bytes and any length are told apart") {
    diary d;
    const std::string long_name(512, 'n');
    const std::vector<std::string> names{"ann",
                                         "ANN",
                                         std::string("ann\0", 4),
                                         std::string("\0ann", 4),
                                         "\xff\xfe",
                                         "\"ann\"",
                                         "%s%n",
                                         "<script>alert(1)</script>",
                                         "'; DROP TABLE users",
                                         "ann\n",
                                         long_name.substr(1),
                                         long_name,
                                         long_name + "n",
                                         long_name + "m"};
    for (const auto& name : names) d.refuse(reason::unknown_user, name);
    for (const auto& name : names) {
        const auto known = d.memory.of_user(name);
        REQUIRE(known.events.size() == 1);
        CHECK(known.events[0].times == 1);
        CHECK(known.events[0].user == name);
    }
}

TEST_CASE("turnd: a realm cannot pass for another one's user") {
    diary d;
    d.memory.request_refused({.client = address("192.0.2.7:4444"),
                              .why = reason::unknown_user,
                              .username = std::string_view("b\0c", 3),
                              .realm = "a"});
    d.memory.request_refused({.client = address("192.0.2.7:4444"),
                              .why = reason::bad_password,
                              .username = "c",
                              .realm = std::string_view("a\0b", 3)});
    CHECK(d.memory.of_user(std::string_view("b\0c", 3), "a").events.size() == 1);
    CHECK(d.memory.of_user("c", "a").events.empty());
}

TEST_CASE("turnd: shards write and operators read the memory at once") {
    diary d({.proven = 8, .claimed = 8, .relays = 8});
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 3; ++t)
            threads.emplace_back([&, t] {
                for (std::uint64_t i = 0; i < 1000; ++i) {
                    const std::string user = "user" + std::to_string(i % 20);
                    d.refuse(reason::bad_password, user);
                    d.begin(user, i * 3 + static_cast<std::uint64_t>(t));
                }
            });
        for (int i = 0; i < 1000; ++i) CHECK(d.memory.of_user("user3").events.size() <= 2);
    }
    CHECK(d.memory.size() <= 5 * 8);
    CHECK(d.memory.of_client(address("192.0.2.7:1")).events[0].times == 3000);
    CHECK(d.memory.lost() == 0);
}
