#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include <nlohmann/json.hpp>

#include "event_log.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::system_clock::time_point when{std::chrono::milliseconds{1'795'224'874'123}};

/// Remembers lines. Whoever reads them first ends the log, whose destructor writes what waits.
struct memory {
    std::vector<std::string> lines{};
    logger::sink sink() {
        return [this](std::string_view line) { lines.emplace_back(line); };
    }
};

turn::transport_address address(std::string_view text) {
    return *turn::transport_address::parse(text);
}

std::vector<std::string> said_by(log_level level, log_format format, const std::function<void(event_log&)>& happening) {
    memory kept;
    {
        logger to(level, format, kept.sink());
        event_log events(to);
        happening(events);
    }
    return kept.lines;
}

turn::refusal refused(turn::reason why, std::uint16_t code) {
    return {.client = address("192.0.2.7:4444"),
            .method = turn::stun::method::allocate,
            .code = code,
            .why = why,
            .username = "ann",
            .realm = "example.org"};
}

} // namespace

TEST_CASE("turnd: a text line has time and level and message and facts") {
    CHECK(format_line(log_format::text, log_level::info, "relay ended",
                      {{"user", "ann"}, {"bytes", std::uint64_t{12}}, {"gso", true}, {"peer", ""}, {"nothing"}},
                      when) == "2026-11-21T01:34:34.123Z info    relay ended user=ann bytes=12 gso=yes");
    CHECK(format_line(log_format::text, log_level::warning, "x",
                      {{"why", "two words"}, {"a", "say \"so\""}, {"b", "k=v"}},
                      when) == "2026-11-21T01:34:34.123Z warning x why=\"two words\" a=\"say \\\"so\\\"\" b=\"k=v\"");
}

TEST_CASE("turnd: a JSON line is one object") {
    const std::string line =
        format_line(log_format::json, log_level::error, "not started",
                    {{"why", "port \"3478\"\nis taken"}, {"code", std::uint64_t{401}}, {"x", false}}, when);
    CHECK(!contains(line, "\n"));
    const auto object = nlohmann::json::parse(line);
    CHECK(object["time"] == "2026-11-21T01:34:34.123Z");
    CHECK(object["level"] == "error");
    CHECK(object["message"] == "not started");
    CHECK(object["why"] == "port \"3478\"\\x0ais taken");
    CHECK(object["code"] == 401);
    CHECK(object["x"] == false);
}

TEST_CASE("turnd: a user name cannot write lines of its own nor break the JSON") {
    for (const std::string& name :
         {std::string("ann\n2026-01-01T00:00:00.000Z info ready"), std::string("\xff\xfe"), std::string("%s%n{}"),
          std::string("a\0b", 3), std::string("\x1b]0;title\x07"), std::string("\"},{\"level\":\"error"),
          std::string("\u202eevil"), std::string(5000, 'n')}) {
        const std::string text = format_line(log_format::text, log_level::info, "m", {{"user", name}}, when);
        CHECK(!contains(text, "\n"));
        CHECK(!contains(text, "\x1b"));
        CHECK(text.size() < 1300);
        const auto object =
            nlohmann::json::parse(format_line(log_format::json, log_level::info, "m", {{"user", name}}, when));
        CHECK(object.size() == 4);
    }
}

TEST_CASE("turnd: lines below the level are not written but those that scripts wait for are") {
    memory kept;
    {
        logger to(log_level::warning, log_format::text, kept.sink());
        to.write(log_level::info, "one");
        to.write(log_level::warning, "two");
        to.write(log_level::error, "three");
        to.write_always(log_level::info, "ready");
        CHECK(!to.wants(log_level::info));
        CHECK(to.wants(log_level::warning));
    }
    REQUIRE(kept.lines.size() == 3);
    CHECK(contains(kept.lines[0], "warning two"));
    CHECK(contains(kept.lines[1], "error   three"));
    CHECK(contains(kept.lines[2], "info    ready"));
}

TEST_CASE("turnd: level and form of the log can change while it is written") {
    memory kept;
    {
        logger to(log_level::warning, log_format::text, kept.sink());
        to.write(log_level::info, "unheard");
        to.set_level(log_level::debug);
        CHECK(to.level() == log_level::debug);
        to.write(log_level::debug, "heard");
        to.set_format(log_format::json);
        to.write(log_level::info, "an object");
        to.set_level(log_level::error);
        to.write(log_level::warning, "unheard");
    }
    REQUIRE(kept.lines.size() == 2);
    CHECK(contains(kept.lines[0], "debug   heard"));
    CHECK(nlohmann::json::parse(kept.lines[1])["message"] == "an object");
}

TEST_CASE("turnd: hashed addresses are the same name for the same address while turnd runs") {
    const address_names names;
    const std::string ann = names.name(address("192.0.2.7:4444"));
    CHECK(ann.size() == 13);
    CHECK(ann.starts_with('~'));
    CHECK(ann == names.name(address("192.0.2.7:5555"))); // a port would tell whom of many a NAT stands for
    CHECK(ann != names.name(address("192.0.2.8:4444")));
    CHECK(ann != names.name(address("[2001:db8::7]:4444")));
    CHECK(ann != address_names().name(address("192.0.2.7:4444"))); // after the next start
}

TEST_CASE("turnd: with hashed addresses no line of an event holds a client's or a peer's address") {
    turn::allocation_info a{.id = turn::allocation_id{7},
                            .client = address("198.51.100.7:4444"),
                            .server = address("192.0.2.1:3478"),
                            .relayed = address("192.0.2.1:50000"),
                            .username = "ann",
                            .realm = "example.org"};
    turn::refusal denied = refused(turn::reason::peer_denied, 403);
    denied.client = a.client;
    denied.peer = address("203.0.113.9:9");
    a.peers = {&denied.peer, 1};
    for (const log_format format : {log_format::text, log_format::json}) {
        memory kept;
        {
            logger to(log_level::debug, format, kept.sink());
            to.set_addresses(log_addresses::hashed);
            event_log events(to);
            events.allocation_created(a);
            events.allocation_ended(a, {}, turn::allocation_end::expired);
            events.request_refused(denied);
            events.request_refused(refused(turn::reason::bad_password, 401)); // names no peer
            to.set_addresses(log_addresses::plain);
            events.request_refused(denied);
        }
        REQUIRE(kept.lines.size() == 5);
        for (std::size_t i = 0; i < 4; ++i) {
            CAPTURE(kept.lines[i]);
            CHECK(!contains(kept.lines[i], "198.51.100"));
            CHECK(!contains(kept.lines[i], "203.0.113"));
            CHECK(contains(kept.lines[i], "~"));
        }
        CHECK(contains(kept.lines[1], "192.0.2.1:50000")); // the server's own
        CHECK(!contains(kept.lines[3], "peer"));
        CHECK(contains(kept.lines[4], "198.51.100.7:4444"));
        CHECK(contains(kept.lines[4], "203.0.113.9:9"));
    }
}

TEST_CASE("turnd: writing a line never waits for a terminal that has stopped") {
    std::mutex terminal;
    std::unique_lock stopped(terminal);
    std::size_t printed = 0;
    constexpr std::size_t lines = logger::queue_size * 3;
    std::uint64_t dropped = 0;
    {
        logger to(log_level::info, log_format::text, [&](std::string_view) {
            const std::lock_guard lock(terminal);
            ++printed;
        });
        for (std::size_t i = 0; i < lines; ++i) to.write(log_level::info, "line"); // would hang here
        dropped = to.dropped();
        CHECK(dropped >= lines - logger::queue_size - 1);
        stopped.unlock();
    }
    CHECK(printed + dropped == lines);
}

TEST_CASE("turnd: so many lines a second and a count of the rest") {
    line_budget budget(3);
    const std::chrono::steady_clock::time_point start{100s};
    for (int i = 0; i < 3; ++i) CHECK(budget.take(start + 10ms * i) == std::uint64_t{0});
    for (int i = 0; i < 5; ++i) CHECK(!budget.take(start + 500ms));
    CHECK(budget.take(start + 1s) == std::uint64_t{5}); // and says how many it held back
    CHECK(budget.take(start + 1s) == std::uint64_t{0});
    CHECK(budget.take(start + 1s) == std::uint64_t{0});
    CHECK(!budget.take(start + 1s));
    CHECK(budget.held_back() == 1);
    CHECK(budget.held_back() == 0);
}

TEST_CASE("turnd: threads share one budget exactly") {
    line_budget budget(1000);
    std::atomic<std::uint64_t> written{0}, said_to_be_held_back{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&] {
                for (int i = 0; i < 1000; ++i)
                    if (const auto before = budget.take(std::chrono::steady_clock::time_point{7s})) {
                        ++written;
                        said_to_be_held_back += *before; // the last line may come after the first that was held back
                    }
            });
    }
    CHECK(written == 1000);
    CHECK(said_to_be_held_back + budget.held_back() == 3000);
}

TEST_CASE("turnd: how loud a refusal is") {
    using turn::reason;
    CHECK(level_of(reason::first_challenge) == log_level::debug); // how every session begins
    CHECK(level_of(reason::stale_nonce) == log_level::debug);
    CHECK(level_of(reason::peer_denied) == log_level::debug); // browsers offer private candidates all day
    CHECK(level_of(reason::bad_password) == log_level::info);
    CHECK(level_of(reason::unknown_user) == log_level::info);
    CHECK(level_of(reason::expired) == log_level::info);
    CHECK(level_of(reason::quota_total) == log_level::warning);
    CHECK(level_of(reason::no_descriptors) == log_level::warning);
    for (std::size_t i = 0; i < turn::reason_count; ++i) CHECK(level_of(static_cast<reason>(i)) != log_level::error);
}

TEST_CASE("turnd: a refusal is logged with its reason code") {
    const auto lines = said_by(log_level::info, log_format::json, [](event_log& events) {
        turn::refusal r = refused(turn::reason::expired, 401);
        r.expired_for = 42s;
        events.request_refused(r);
        events.request_refused(refused(turn::reason::bad_password, 431));
        events.request_refused(refused(turn::reason::first_challenge, 401)); // below the level
    });
    REQUIRE(lines.size() == 2);
    const auto expired = nlohmann::json::parse(lines[0]);
    CHECK(expired["level"] == "info");
    CHECK(expired["message"] == "request refused");
    CHECK(expired["reason"] == "expired");
    CHECK(expired["expired-for-seconds"] == 42);
    CHECK(expired["method"] == "allocate");
    CHECK(expired["code"] == 401);
    CHECK(expired["client"] == "192.0.2.7:4444");
    CHECK(expired["user"] == "ann");
    CHECK(!expired.contains("peer"));
    const auto wrong = nlohmann::json::parse(lines[1]);
    CHECK(wrong["reason"] == "bad-password");
    CHECK(wrong["code"] == 431);
    CHECK(!wrong.contains("expired-for-seconds"));
}

TEST_CASE("turnd: a denied peer is logged with its rule at level debug") {
    const auto happening = [](event_log& events) {
        turn::refusal r = refused(turn::reason::peer_denied, 403);
        r.method = turn::stun::method::create_permission;
        r.peer = address("10.0.0.1:0");
        r.rule = "private 10.0.0.0/8";
        events.request_refused(r);
    };
    CHECK(said_by(log_level::info, log_format::text, happening).empty());
    const auto lines = said_by(log_level::debug, log_format::text, happening);
    REQUIRE(lines.size() == 1);
    CHECK(contains(lines[0], "debug   request refused reason=peer-denied method=create-permission code=403"));
    CHECK(contains(lines[0], "peer=10.0.0.1:0"));
    CHECK(contains(lines[0], "rule=\"private 10.0.0.0/8\""));
}

TEST_CASE("turnd: each way a relay may end has a name") {
    using turn::allocation_end;
    CHECK(name_of(allocation_end::refreshed_to_zero) == "client-ended");
    CHECK(name_of(allocation_end::kicked) == "kicked");
    CHECK(name_of(allocation_end::disconnected) == "disconnected");
}

TEST_CASE("turnd: a relay's end is logged with what it carried and why it ended") {
    turn::allocation_info a{.id = turn::allocation_id{7},
                            .client = address("192.0.2.7:4444"),
                            .server = address("192.0.2.1:3478"),
                            .relayed = address("192.0.2.1:50000"),
                            .relayed_additional = address("[2001:db8::1]:50001"),
                            .username = "ann",
                            .realm = "example.org",
                            .protocol = turn::transport::tls};
    const std::vector<turn::transport_address> peers{address("198.51.100.7:0"), address("198.51.100.8:4000")};
    a.peers = peers;
    const turn::usage used{.packets_up = 1,
                           .bytes_up = 2,
                           .packets_down = 3,
                           .bytes_down = 4,
                           .age = 61s,
                           .verdict = turn::verdict::bandwidth};
    const auto lines = said_by(log_level::info, log_format::json, [&](event_log& events) {
        events.allocation_created(a); // debug
        events.allocation_ended(a, used, turn::allocation_end::expired);
    });
    REQUIRE(lines.size() == 1);
    const auto line = nlohmann::json::parse(lines[0]);
    CHECK(line["message"] == "relay ended");
    CHECK(line["id"] == 7);
    CHECK(line["user"] == "ann");
    CHECK(line["transport"] == "tls");
    CHECK(line["client"] == "192.0.2.7:4444");
    CHECK(line["relayed"] == "192.0.2.1:50000");
    CHECK(line["relayed-additional"] == "[2001:db8::1]:50001");
    CHECK(line["why"] == "expired");
    CHECK(line["verdict"] == "bandwidth");
    CHECK(line["peers"] == nlohmann::json{"198.51.100.7:0", "198.51.100.8:4000"});
    CHECK(line["seconds"] == 61);
    CHECK(line["packets-up"] == 1);
    CHECK(line["bytes-up"] == 2);
    CHECK(line["packets-down"] == 3);
    CHECK(line["bytes-down"] == 4);
    const auto begun =
        said_by(log_level::debug, log_format::text, [&](event_log& events) { events.allocation_created(a); });
    REQUIRE(begun.size() == 1);
    CHECK(contains(begun[0], "relay begun id=7 user=ann realm=example.org transport=tls client=192.0.2.7:4444"));
}

TEST_CASE("turnd: certificates that changed are logged and those that cannot be used are warned of") {
    const auto lines = said_by(log_level::info, log_format::text, [](event_log& events) {
        events.certificates_changed(address("192.0.2.1:5349"), "");
        events.certificates_changed(address("192.0.2.1:5349"), "key.pem: does not belong to it");
    });
    REQUIRE(lines.size() == 2);
    CHECK(contains(lines[0], "info    certificates renewed listener=192.0.2.1:5349"));
    CHECK(contains(lines[1], "warning new certificates cannot be used; the old ones stay listener=192.0.2.1:5349 "
                             "why=\"key.pem: does not belong to it\""));
}

TEST_CASE("turnd: a flood of refusals of ever new users becomes a few lines and a count") {
    constexpr std::size_t flood = 5000;
    const auto lines = said_by(log_level::info, log_format::json, [](event_log& events) {
        for (std::size_t i = 0; i < flood; ++i) {
            const std::string user = "user" + std::to_string(i);
            turn::refusal r = refused(turn::reason::unknown_user, 401);
            r.username = user;
            events.request_refused(r);
        }
    });
    std::uint64_t written = 0;
    std::uint64_t counted = 0;
    for (const std::string& text : lines) {
        const auto line = nlohmann::json::parse(text);
        if (line["message"] == "request refused")
            ++written;
        else
            counted += line["count"].get<std::uint64_t>();
    }
    CHECK(written + counted == flood);
    CHECK(written >= event_log::refusals_per_second);
    CHECK(written < flood / 2); // as many seconds as this test may take, and more
}

namespace {

/// An event log whose clock stands still until it is moved.
struct slow_days {
    memory kept{};
    std::chrono::steady_clock::time_point clock{1000s};

    std::vector<nlohmann::json> lines(const std::function<void(event_log&)>& happening) {
        {
            logger to(log_level::info, log_format::json, kept.sink());
            event_log events(to, [this] { return clock; });
            happening(events);
        }
        std::vector<nlohmann::json> parsed;
        for (const std::string& line : kept.lines) parsed.push_back(nlohmann::json::parse(line));
        return parsed;
    }
};

} // namespace

TEST_CASE("turnd: a failure that repeats is told at once and then once a minute with its number") {
    slow_days days;
    const auto lines = days.lines([&](event_log& events) {
        for (int second = 0; second < 120; ++second, days.clock += 1s) {
            events.request_refused(refused(turn::reason::bad_password, 401));
            events.say_due();
        }
    });
    REQUIRE(lines.size() == 3);
    CHECK(!lines[0].contains("times"));
    CHECK(lines[1]["times"] == 60); // the seconds 1 to 60
    CHECK(lines[2]["times"] == 59); // the rest is told at the end
    for (const auto& line : lines) {
        CHECK(line["message"] == "request refused");
        CHECK(line["reason"] == "bad-password");
        CHECK(line["user"] == "ann");
        CHECK(line["client"] == "192.0.2.7:4444");
    }
}

TEST_CASE("turnd: the summary of repeated failures comes though nothing else happens") {
    slow_days days;
    (void)days.lines([&](event_log& events) {
        for (int i = 0; i < 3; ++i) events.request_refused(refused(turn::reason::bad_password, 401));
        days.clock += 59s;
        events.say_due();
        days.clock += 1s;
        events.say_due(); // two more
        days.clock += 60s;
        events.say_due();                                                 // nothing more: forgotten
        events.request_refused(refused(turn::reason::bad_password, 401)); // and told at once when it comes again
    });
    REQUIRE(days.kept.lines.size() == 3);
    CHECK(!contains(days.kept.lines[0], "times"));
    CHECK(contains(days.kept.lines[1], "\"times\":2"));
    CHECK(!contains(days.kept.lines[2], "times"));
}

TEST_CASE("turnd: failures of other users and addresses and reasons are told at once") {
    slow_days days;
    const auto lines = days.lines([&](event_log& events) {
        turn::refusal r = refused(turn::reason::bad_password, 401);
        events.request_refused(r);
        r.client.port = 5555; // the same address
        events.request_refused(r);
        r.client = address("192.0.2.8:4444");
        events.request_refused(r);
        r.username = "bob";
        events.request_refused(r);
        r.why = turn::reason::expired;
        events.request_refused(r);
    });
    REQUIRE(lines.size() == 5);
    CHECK(lines[1]["client"] == "192.0.2.8:4444");
    CHECK(lines[2]["user"] == "bob");
    CHECK(lines[3]["reason"] == "expired");
    CHECK(lines[4]["client"] == "192.0.2.7:5555"); // the one that was held back, at the end
}

TEST_CASE("turnd: more failures than the digest tells apart are told rather than forgotten") {
    refusal_digest digest(2);
    const std::chrono::steady_clock::time_point now{1000s};
    const auto by = [](std::string_view user) {
        turn::refusal r = refused(turn::reason::bad_password, 401);
        r.username = user;
        return event_of(r, when);
    };
    CHECK(digest.take(by("ann"), now).size() == 1);
    CHECK(digest.take(by("ann"), now).empty());
    CHECK(digest.take(by("ann"), now).empty());
    CHECK(digest.take(by("bob"), now).size() == 1);
    const auto said = digest.take(by("eve"), now); // in ann's place
    REQUIRE(said.size() == 2);
    CHECK(said[0].user == "ann");
    CHECK(said[0].times == 2);
    CHECK(said[1].user == "eve");
    CHECK(digest.rest().empty());
}

TEST_CASE("turnd: a login as it should be leaves nothing in the log at its usual level") {
    const auto lines = said_by(log_level::info, log_format::text, [](event_log& events) {
        events.request_refused(refused(turn::reason::first_challenge, 401));
        events.request_refused(refused(turn::reason::stale_nonce, 438));
        events.allocation_created({.id = turn::allocation_id{7}, .username = "ann"});
    });
    CHECK(lines.empty());
}
