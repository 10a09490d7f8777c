#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "turnd_admin_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

turn::transport_address at(std::string_view text) {
    return *turn::transport_address::parse(text);
}

turn::allocation_report relay(std::uint64_t id, std::string user, std::string realm = "example.org") {
    turn::allocation_report r;
    r.id = static_cast<turn::allocation_id>(id);
    r.username = std::move(user);
    r.realm = std::move(realm);
    r.client = at("198.51.100.7:40000");
    r.server = at("192.0.2.1:3478");
    r.relayed = at("192.0.2.1:24000");
    r.used = {.packets_up = 1, .bytes_up = 2, .packets_down = 3, .bytes_down = 4, .age = 5s};
    r.used.verdict = turn::verdict::peer_silent;
    r.expires_in = 595s;
    return r;
}

/// A server with relays, which notes what it was asked and told.
struct story {
    std::vector<turn::allocation_report> relays{relay(7, "ann"), relay(3, "bob"), relay(5, "ann", "other.example")};
    std::vector<std::string> told{};
    turn::allocation_filter asked{};
    std::size_t most = 0;
    why_subject subject{};
    int drains = 0;
    int reloads = 0;
    reload_report report{};
    std::optional<log_level> level{};

    admin_world world() {
        admin_world w;
        w.numbers = some_numbers;
        w.draining = [this] { return drains != 0; };
        w.allocations = [this](const turn::allocation_filter& which, std::size_t up_to) {
            asked = which;
            most = up_to;
            std::vector<turn::allocation_report> found;
            for (const auto& r : relays)
                if ((!which.id || r.id == *which.id) && (which.user.empty() || r.username == which.user) &&
                    (which.realm.empty() || r.realm == which.realm) && found.size() < up_to)
                    found.push_back(r);
            return found;
        };
        w.end_allocation = [this](turn::allocation_id id) {
            told.push_back("end " + std::to_string(static_cast<std::uint64_t>(id)));
            return std::any_of(relays.begin(), relays.end(), [&](const auto& r) { return r.id == id; });
        };
        w.end_allocations_of = [this](std::string_view realm, std::string_view user) {
            told.push_back("end " + std::string(user) + " of " + std::string(realm));
        };
        w.why = [this](const why_subject& of, std::vector<turn::allocation_report> live) {
            subject = of;
            why_answer a;
            a.subject = "user ann";
            a.outcome = why_outcome::failing;
            a.reason = "bad-password";
            a.code = 401;
            a.times = 2;
            a.explanation = "the signature does not fit";
            a.remedy = "check the password";
            a.events.push_back({.times = 2, .what = "refused", .reason = "bad-password", .code = 401, .text = "no"});
            a.relays = std::move(live);
            return a;
        };
        w.drain = [this] { ++drains; };
        w.reload = [this] {
            ++reloads;
            return report;
        };
        w.set_log_level = [this](log_level to) { level = to; };
        return w;
    }
};

std::string error_of(const admin_answer& a) {
    return json::parse(a.body)["error"].get<std::string>();
}

/// What no name is, each percent-encoded: not UTF-8, overlong, a surrogate, NUL, control characters, too long.
const std::vector<std::string> no_names{"",
                                        "%ff",
                                        "%c0%80",
                                        "%ed%a0%80",
                                        "%00",
                                        "a%00b",
                                        "a%0ab",
                                        "%7f",
                                        "%c2%85",
                                        "%1b%5b31m",
                                        std::string(509, 'a'),
                                        std::string(507, 'a') + "%c3%a4"};
/// What is one, though it looks like an attack.
const std::vector<std::pair<std::string, std::string>> odd_names{
    {"'; DROP TABLE users;--", "'; DROP TABLE users;--"},
    {"%3Cscript%3Ealert(1)%3C/script%3E", "<script>alert(1)</script>"},
    {"%25s%25n%25d", "%s%n%d"},
    {"%22%5c%27", "\"\\'"},
    {"..%2f..", "../.."},
    {"a+b", "a b"},
    {"%E2%80%AE", "\xe2\x80\xae"},
    {std::string(508, 'a'), std::string(508, 'a')}};

} // namespace

TEST_CASE("turnd: relays are listed by id with what the table needs") {
    story s;
    const json all = json::parse(asked(s.world(), "/api/v1/relays").body);
    CHECK(all["more"] == false);
    REQUIRE(all["relays"].size() == 3);
    CHECK(all["relays"][0]["id"] == 3);
    CHECK(all["relays"][2] == json{{"id", 7},
                                   {"user", "ann"},
                                   {"realm", "example.org"},
                                   {"client", "198.51.100.7:40000"},
                                   {"transport", "udp"},
                                   {"peerTransport", "udp"},
                                   {"server", "192.0.2.1:3478"},
                                   {"relayedAddresses", {"192.0.2.1:24000"}},
                                   {"peers", json::array()},
                                   {"openPeerConnections", 0},
                                   {"pendingPeerConnections", 0},
                                   {"packetsUp", 1},
                                   {"bytesUp", 2},
                                   {"packetsDown", 3},
                                   {"bytesDown", 4},
                                   {"ageSeconds", 5},
                                   {"expiresInSeconds", 595},
                                   {"verdict", "peer-silent"}});
    const json two = json::parse(asked(s.world(), "/api/v1/relays?limit=2").body);
    CHECK(two["relays"].size() == 2);
    CHECK(two["more"] == true);
    CHECK(json::parse(asked(s.world(), "/api/v1/relays?limit=3").body)["more"] == false);

    CHECK(json::parse(asked(s.world(), "/api/v1/relays?user=ann&realm=other.example&client=2001:db8::1").body)["relays"]
              .size() == 1);
    CHECK(s.asked.client->ip_to_string() == "2001:db8::1");
}

TEST_CASE("turnd: one relay is shown with permissions, channels, requests, refusals and drops") {
    story s;
    auto& r = s.relays[0];
    r.account = "ann";
    r.relayed_additional = at("[2001:db8::1]:24001");
    r.peers = {at("203.0.113.5:0"), at("203.0.113.5:5000")};
    r.permissions = {{at("203.0.113.5:0"), 250s}};
    r.channels = {{0x4000, at("203.0.113.5:5000"), 550s}};
    r.requests[static_cast<std::size_t>(turn::request_method::create_permission)] = 9;
    r.refused = {{turn::reason::peer_denied, 6}};
    r.dropped = {{turn::direction::down, turn::reason::no_permission, 8}};
    const json shown = json::parse(asked(s.world(), "/api/v1/relays/7").body);
    CHECK(shown["relayedAddresses"] == json{"192.0.2.1:24000", "[2001:db8::1]:24001"});
    CHECK(shown["peers"] == json{"203.0.113.5", "203.0.113.5:5000"});
    CHECK(shown["permissions"] == json::array({{{"peer", "203.0.113.5"}, {"expiresInSeconds", 250}}}));
    CHECK(shown["channels"] ==
          json::array({{{"number", 0x4000}, {"peer", "203.0.113.5:5000"}, {"expiresInSeconds", 550}}}));
    CHECK(shown["requests"]["createPermission"] == 9);
    CHECK(shown["refused"] == json{{"peer-denied", 6}});
    CHECK(shown["drops"]["down"] == json{{"no-permission", 8}});
    CHECK(shown["account"] == "ann");

    for (const char* id : {"4", "0", "-1", "x", "7x", "7/", "%00", "99999999999999999999", "7%27"}) {
        CAPTURE(id);
        const admin_answer no = asked(s.world(), std::string("/api/v1/relays/") + id);
        CHECK(no.status == 404);
        CHECK(error_of(no) == "no-such-relay");
    }
}

TEST_CASE("turnd: a relay that speaks TCP to its peers is shown with its connections") {
    story s;
    auto& r = s.relays[0];
    r.protocol = turn::transport::tls;
    r.relayed_protocol = turn::transport::tcp;
    r.connections = {{at("203.0.113.5:80"), true, {1000, 2000}}, {at("203.0.113.6:80"), false, {}}};
    const json line = json::parse(asked(s.world(), "/api/v1/relays").body)["relays"][2];
    CHECK(line["transport"] == "tls");
    CHECK(line["peerTransport"] == "tcp");
    CHECK(line["openPeerConnections"] == 1);
    CHECK(line["pendingPeerConnections"] == 1);
    const json shown = json::parse(asked(s.world(), "/api/v1/relays/7").body);
    CHECK(shown["peerConnections"] ==
          json::array({{{"peer", "203.0.113.5:80"}, {"bound", true}, {"bytesUp", 1000}, {"bytesDown", 2000}},
                       {{"peer", "203.0.113.6:80"}, {"bound", false}, {"bytesUp", 0}, {"bytesDown", 0}}}));
}

TEST_CASE("turnd: the relays of a user whose name is no UTF-8 are still JSON") {
    story s;
    s.relays = {relay(1, "\xff\xfe\"\\\n\x01<b>")};
    const json shown = json::parse(asked(s.world(), "/api/v1/relays/1").body);
    CHECK(shown["user"] == "\xef\xbf\xbd\xef\xbf\xbd\"\\\n\x01<b>");
}

TEST_CASE("turnd: a relay is kicked by its id, a user in every realm or in one") {
    story s;
    CHECK(json::parse(asked(s.world(), "/api/v1/kick?relay=7", "POST").body) == json{{"kicked", 1}});
    CHECK(s.told == std::vector<std::string>{"end 7"});
    CHECK(asked(s.world(), "/api/v1/kick?relay=8", "POST").status == 404);

    s.told.clear();
    CHECK(json::parse(asked(s.world(), "/api/v1/kick?user=ann", "POST").body) == json{{"kicked", 2}});
    CHECK(s.told == std::vector<std::string>{"end ann of example.org", "end ann of other.example"});
    s.told.clear();
    CHECK(json::parse(asked(s.world(), "/api/v1/kick?user=ann&realm=other.example", "POST").body) ==
          json{{"kicked", 1}});
    CHECK(s.told == std::vector<std::string>{"end ann of other.example"});
    CHECK(error_of(asked(s.world(), "/api/v1/kick?user=eve", "POST")) == "no-such-user");

    s.told.clear();
    for (const char* query : {"", "?relay=7&user=ann", "?realm=example.org", "?relay=7&realm=example.org"}) {
        CAPTURE(query);
        CHECK(error_of(asked(s.world(), std::string("/api/v1/kick") + query, "POST")) == "whom");
    }
    CHECK(asked(s.world(), "/api/v1/kick?relay=7").status == 405); // GET changes nothing
    const admin_answer read_only = answer(s.world(), {.method = "POST", .target = "/api/v1/kick?relay=7"});
    CHECK(read_only.status == 405);
    CHECK(s.told.empty());
}

TEST_CASE("turnd: a drain begins by POST only") {
    story s;
    CHECK(asked(s.world(), "/api/v1/drain").status == 405);
    CHECK(answer(s.world(), {.method = "POST", .target = "/api/v1/drain"}).status == 405); // status-listen
    CHECK(s.drains == 0);
    const admin_answer yes = asked(s.world(), "/api/v1/drain", "POST");
    CHECK(yes.status == 202);
    CHECK(json::parse(yes.body) == json{{"draining", true}, {"numAllocations", 5}});
    CHECK(s.drains == 1);
}

TEST_CASE("turnd: why is asked about one user, client or relay, and its answer is JSON with the remedy") {
    story s;
    const json why = json::parse(asked(s.world(), "/api/v1/why?user=ann&realm=example.org").body);
    CHECK(why["outcome"] == "failing");
    CHECK(why["reason"] == "bad-password");
    CHECK(why["code"] == 401);
    CHECK(why["times"] == 2);
    CHECK(why["remedy"] == "check the password");
    CHECK(why["events"][0]["reason"] == "bad-password");
    CHECK(why["relays"].size() == 1);
    CHECK(why["relays"][0]["id"] == 7);
    CHECK(*s.subject.user == "ann");
    CHECK(*s.subject.realm == "example.org");

    CHECK(asked(s.world(), "/api/v1/why?client=192.0.2.7").status == 200);
    CHECK(s.subject.client->ip_to_string() == "192.0.2.7");
    CHECK(asked(s.world(), "/api/v1/why?relay=3").status == 200);
    CHECK(static_cast<int>(*s.subject.relay) == 3);
    for (const char* query : {"", "?user=ann&relay=7", "?realm=example.org", "?client=192.0.2.7&realm=a"}) {
        CAPTURE(query);
        const admin_answer no = asked(s.world(), std::string("/api/v1/why") + query);
        CHECK(no.status == 400);
        CHECK(error_of(no) == "whom");
    }
}

TEST_CASE("turnd: what is no name is refused in every parameter before anybody is asked") {
    story s;
    for (const std::string& bad : no_names) {
        CAPTURE(bad);
        for (const std::string& target : {"/api/v1/relays?user=" + bad, "/api/v1/relays?realm=" + bad,
                                          "/api/v1/why?user=" + bad, "/api/v1/why?user=ann&realm=" + bad}) {
            const admin_answer no = asked(s.world(), target);
            CHECK(no.status == 400);
            CHECK(error_of(no) == "bad-parameter");
        }
        for (const std::string& target : {"/api/v1/kick?user=" + bad, "/api/v1/kick?user=ann&realm=" + bad})
            CHECK(asked(s.world(), target, "POST").status == 400);
    }
    CHECK(s.most == 0);
    CHECK(s.told.empty());
}

TEST_CASE("turnd: a name that looks like an attack is a name, and arrives unchanged") {
    story s;
    for (const auto& odd : odd_names) {
        CAPTURE(odd.first);
        CHECK(asked(s.world(), "/api/v1/relays?user=" + odd.first).status == 200);
        CHECK(s.asked.user == odd.second);
        CHECK(asked(s.world(), "/api/v1/why?user=" + odd.first).status == 200);
        CHECK(*s.subject.user == odd.second);
        s.relays[1].username = odd.second;
        CHECK(json::parse(asked(s.world(), "/api/v1/relays/3").body)["user"] == odd.second);
        CHECK(asked(s.world(), "/api/v1/kick?user=" + odd.first, "POST").status == 200);
        CHECK(s.told.back() == "end " + odd.second + " of example.org");
    }
}

TEST_CASE("turnd: addresses, ids and limits are numbers of their kind or a 400") {
    story s;
    for (const std::string bad : {"", "x", "192.0.2", "192.0.2.1:5", "192.0.2.256", "[::1]", "1%00", "%ff",
                                  "192.0.2.1/24", "2001:db8::1%25eth0", "'; DROP TABLE", "%3Cscript%3E", "%25s"}) {
        CAPTURE(bad);
        CHECK(error_of(asked(s.world(), "/api/v1/relays?client=" + bad)) == "bad-parameter");
        CHECK(error_of(asked(s.world(), "/api/v1/why?client=" + bad)) == "bad-parameter");
        CHECK(error_of(asked(s.world(), "/api/v1/why?relay=" + bad)) == "bad-parameter");
        CHECK(error_of(asked(s.world(), "/api/v1/relays?limit=" + bad)) == "bad-parameter");
        CHECK(error_of(asked(s.world(), "/api/v1/kick?relay=" + bad, "POST")) == "bad-parameter");
    }
    for (const char* bad : {"0", "-1", "10001", "1e3", "0x10", " 5", "99999999999999999999"})
        CHECK(error_of(asked(s.world(), std::string("/api/v1/relays?limit=") + bad)) == "bad-parameter");
    CHECK(s.most == 0);
    CHECK(asked(s.world(), "/api/v1/relays?limit=10000").status == 200);
    CHECK(s.most == 10'001);
}

TEST_CASE("turnd: a reload by HTTP says what has changed, and what needs a restart") {
    story s;
    s.report.file = "/etc/turnd/turnd.toml";
    s.report.changes = {{"log.level", "info", "debug", takes_effect::at_once},
                        {"threads", "2", "4", takes_effect::after_restart}};
    s.report.warnings = {"a \"warning\""};
    CHECK(asked(s.world(), "/api/v1/reload").status == 405);
    CHECK(s.reloads == 0);
    const admin_answer yes = asked(s.world(), "/api/v1/reload", "POST");
    CHECK(yes.status == 200);
    CHECK(json::parse(yes.body) ==
          json{{"file", "/etc/turnd/turnd.toml"},
               {"changes",
                {{{"key", "log.level"}, {"from", "info"}, {"to", "debug"}, {"needsRestart", false}},
                 {{"key", "threads"}, {"from", "2"}, {"to", "4"}, {"needsRestart", true}}}},
               {"warnings", {"a \"warning\""}}});
}

TEST_CASE("turnd: a reload of a configuration with problems names them all") {
    story s;
    s.report.problems = {{{.from = origin::layer::file, .place = "turnd.toml", .line = 3, .name = "relay.prots"},
                          "x",
                          {"there is no such key", "did you mean ports?"}}};
    const admin_answer no = asked(s.world(), "/api/v1/reload", "POST");
    CHECK(no.status == 422);
    const json shown = json::parse(no.body);
    CHECK(shown["error"] == "bad-configuration");
    CHECK(shown["problems"][0]["place"] == "turnd.toml");
    CHECK(shown["problems"][0]["line"] == 3);
    CHECK(shown["problems"][0]["key"] == "relay.prots");
    CHECK(shown["problems"][0]["remedy"] == "did you mean ports?");
    CHECK(shown["problems"][0]["text"] == s.report.problems[0].to_string());
}

TEST_CASE("turnd: the log's level is one of four words") {
    story s;
    CHECK(json::parse(asked(s.world(), "/api/v1/log-level?level=warning", "POST").body) == json{{"level", "warning"}});
    CHECK(s.level == log_level::warning);
    s.level.reset();
    for (const char* query : {"", "?level=", "?level=Debug", "?level=debug%00", "?level=%25s", "?level=trace"}) {
        CAPTURE(query);
        const admin_answer no = asked(s.world(), std::string("/api/v1/log-level") + query, "POST");
        CHECK(no.status == 400);
        CHECK(error_of(no) == "bad-parameter");
    }
    CHECK(asked(s.world(), "/api/v1/log-level?level=debug").status == 405);
    CHECK_FALSE(s.level);
}
