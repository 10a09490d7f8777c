#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "reload.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

using flags = std::vector<std::string>;

/// Two configurations that differ in one key.
struct row {
    std::string key;
    flags before, after;
    std::string from, to; ///< as they are shown
};

settings configured(flags given) {
    for (const char* flag : {"--realm=example.org", "--user=ann:secret"})
        if (std::none_of(given.begin(), given.end(), [&](const std::string& g) {
                return g.starts_with(std::string_view(flag).substr(0, 7)) || g.starts_with("--auth");
            }))
            given.emplace_back(flag);
    const configuration c = load({.flags = given, .variables = {}, .toml = {}});
    REQUIRE(said(c) == "");
    return c.settings;
}

std::vector<row> table(const room& files) {
    const std::string secret = files.file("secret", "north star secret\n");
    const std::string secrets = files.file("secrets", "north star secret\nsouth star secret\n");
    const std::string a = files.file("a.pem", "a");
    const std::string b = files.file("b.pem", "b");
    const auto tls = [](const std::string& address, const std::string& cert, const std::string& key) {
        return flags{"--tls-listen=" + address, "--cert=" + cert, "--key=" + key};
    };
    const std::string counters = files.path("counters.json");
    const auto one = [](const std::string& key, const std::string& from, const std::string& to) {
        return row{key, {"--" + key + "=" + from}, {"--" + key + "=" + to}, from, to};
    };
    return {
        {"listen",
         {"--listen=127.0.0.1:1"},
         {"--listen=127.0.0.1:2"},
         "udp 127.0.0.1:1, tcp 127.0.0.1:1",
         "udp 127.0.0.1:2, tcp 127.0.0.1:2"},
        {"tls-listen", tls("127.0.0.1:1", a, a), tls("127.0.0.1:2", a, a), "tls 127.0.0.1:1, dtls 127.0.0.1:1",
         "tls 127.0.0.1:2, dtls 127.0.0.1:2"},
        {"cert", tls("127.0.0.1:1", a, a), tls("127.0.0.1:1", b, a), a, b},
        {"key", tls("127.0.0.1:1", a, a), tls("127.0.0.1:1", a, b), a, b},
        one("realm", "a.example", "b.example"),
        {"auth",
         {"--auth=none", "--listen=127.0.0.1:1"},
         {"--auth=credentials", "--listen=127.0.0.1:1"},
         "none",
         "credentials"},
        {"allow-anonymous-relay", {"--auth=none"}, {"--auth=none", "--allow-anonymous-relay"}, "false", "true"},
        {"user", {"--user=ann:1"}, {"--user=ann:1", "--user=bob:2"}, "ann", "ann, bob"},
        {"rest-secret-file",
         {"--rest-secret-file=" + secret},
         {"--rest-secret-file=" + secrets},
         "1 secret",
         "2 secrets"},
        one("user-database", files.path("a.db"), files.path("b.db")),
        one("integrity-failure-code", "401", "431"),
        {"username-anonymity", {}, {"--username-anonymity"}, "false", "true"},
        {"stale-nonce", {"--stale-nonce=1h"}, {"--stale-nonce=10m"}, "3600s", "600s"},
        one("relay-address", "192.0.2.1", "192.0.2.1=198.51.100.1"),
        one("relay-ports", "5000-6000", "5000-7000"),
        {"tcp-relay", {}, {"--tcp-relay"}, "false", "true"},
        one("traffic-class", "best-effort", "copy"),
        one("peer-policy", "public", "allow-list"),
        one("allow-peer", "10.0.0.0/8", "10.0.0.0/9"),
        one("deny-peer", "10.0.0.0/8", "10.0.0.0/9"),
        one("allocations-total", "1", "2"),
        {"allocations-per-user", {}, {"--allocations-per-user=0"}, "", "0"},
        {"bandwidth-per-allocation", {}, {"--bandwidth-per-allocation=64k"}, "0", "64000"},
        one("permissions-per-allocation", "1", "2"),
        one("channels-per-allocation", "1", "2"),
        one("peer-connections-per-allocation", "1", "2"),
        one("unauthenticated-bytes-per-second", "1", "2"),
        one("unauthenticated-exempt", "10.0.0.0/8", "10.0.0.0/9"),
        one("connections-without-allocation", "1", "2"),
        one("connections-per-source", "1", "2"),
        one("connection-idle-timeout", "1s", "2s"),
        one("tls-handshake-timeout", "1s", "2s"),
        one("client-queue-bytes", "100000", "200000"),
        one("client-queue-age", "500ms", "1s"),
        one("threads", "1", "2"),
        one("backend", "auto", "sockets"),
        one("drain-timeout", "1s", "2s"),
        {"counters-file", {}, {"--counters-file=" + counters}, "", counters},
        one("admin-socket", files.path("a.sock"), files.path("b.sock")),
        one("status-listen", "127.0.0.1:1", "127.0.0.1:2"),
        one("log-level", "info", "debug"),
        one("log-format", "text", "json"),
        one("log-addresses", "plain", "hashed"),
    };
}

} // namespace

TEST_CASE("turnd: every key has a rule for reloads and a test of it") {
    // A new key fails here: say in turnd/reload.cpp what a reload does about it, and show it in the table above.
    const room files;
    std::multiset<std::string_view> known, ruled;
    std::multiset<std::string> tested{"config"};
    for (const key& k : all_keys()) known.insert(k.name);
    for (const reload_rule& r : reload_rules()) ruled.insert(r.key);
    for (const row& r : table(files)) tested.insert(r.key);
    CHECK(known == ruled);
    CHECK(std::equal(known.begin(), known.end(), tested.begin(), tested.end()));
}

TEST_CASE("turnd: a reload sees each key that changes and makes what can be made at once") {
    const room files;
    for (const row& r : table(files)) {
        CAPTURE(r.key);
        const settings running = configured(r.before);
        const settings wanted = configured(r.after);
        CHECK(changes_between(running, running, {}).empty());

        const auto found = changes_between(running, wanted, {});
        REQUIRE(found.size() == 1);
        CHECK(found[0].key == find_key(r.key)->path);
        CHECK(found[0].from == r.from);
        CHECK(found[0].to == r.to);

        // What needs a restart is still seen at the next reload; what does not, has been made.
        const auto left = changes_between(after_reload(running, wanted), wanted, {});
        CHECK(left.size() == (found[0].when == takes_effect::at_once ? 0 : 1));
    }
}

TEST_CASE("turnd: a change is told as one line with secrets masked") {
    CHECK(change{"log.level", "info", "debug", takes_effect::at_once}.to_string() == "log.level: info -> debug");
    CHECK(change{"threads", "", "2", takes_effect::after_restart}.to_string() ==
          "threads: (not set) -> 2 (needs a restart)");

    const settings running = configured({"--user=ann:old", "--user=bob:2"});
    const settings wanted = configured({"--user=ann:new", "--user=bob:2"});
    const auto changes = changes_between(running, wanted, {.ended = {{"example.org", "ann"}}});
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].to_string() == "auth.users: ann, bob -> ann (new password), bob");
}

TEST_CASE("turnd: another shared secret of the same number is a change") {
    const room files;
    const settings running = configured({"--rest-secret-file=" + files.file("a", "north star secret")});
    const settings wanted = configured({"--rest-secret-file=" + files.file("b", "south star secret")});
    const auto changes = changes_between(running, wanted, {.ended = {}, .new_secrets = 1});
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].to_string() == "auth.rest-secret-files: 1 secret -> 1 secret (1 new)");
}
