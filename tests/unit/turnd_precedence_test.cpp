#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

/// One key in each of its four places, and how the setting is read back as text.
struct row {
    std::string key;
    std::string toml;
    std::string variable;
    std::string flag;
    std::function<std::string(const settings&)> shown;
    std::array<std::string, 4> expected; ///< default, file, environment, flag
};

std::string joined(const std::vector<turn::address_prefix>& prefixes) {
    std::string text;
    for (const auto& p : prefixes) text += p.to_string() + " ";
    return text;
}

std::string listeners(const settings& s) {
    std::string text;
    for (const auto& l : s.listeners) {
        // As many as over UDP, and as over TLS.
        if (l.protocol == turn::transport::tcp || l.protocol == turn::transport::dtls) continue;
        text += (is_secure(l.protocol) ? "tls:" : "") + l.address.to_string();
        text += (l.realm.empty() ? "" : "/" + l.realm) + " ";
    }
    return text;
}

std::string users(const settings& s) {
    std::string text;
    for (const auto& u : s.users) text += u.name + "=" + u.password + " ";
    return text;
}

std::string secrets(const settings& s) {
    std::string text;
    for (const auto& secret : s.rest_secrets) text += secret + " ";
    return text;
}

std::string relays(const settings& s) {
    std::string text;
    for (const auto& r : s.relay_addresses)
        text += r.bind.ip_to_string() + (r.advertised ? "=" + r.advertised->ip_to_string() : "") + " ";
    return text;
}

template <auto Member>
std::string number(const settings& s) {
    return std::to_string(s.*Member);
}

template <auto Member>
std::string seconds(const settings& s) {
    return std::to_string((s.*Member).count());
}

template <auto Member>
std::string as_number(const settings& s) {
    return std::to_string(static_cast<int>(s.*Member));
}

std::vector<row> table(const room& files) {
    const std::string file_secret = files.file("file", "secret-in-the-toml-file\n");
    const std::string environment_secret = files.file("environment", "secret-of-environment\n");
    const std::string flag_secret = files.file("flag", "first-secret-of-flag\r\n\nsecond-secret-of-flag");
    return {
        {"listen",
         "[[listener]]\naddress = \"127.0.0.1:1\"\nrealm = \"r\"",
         "127.0.0.2:2, 127.0.0.3:3",
         "127.0.0.4:4",
         listeners,
         {"0.0.0.0:3478 [::]:3478 ", "127.0.0.1:1/r ", "127.0.0.2:2 127.0.0.3:3 ", "127.0.0.4:4 "}},
        {"realm",
         "realm = \"file\"",
         "environment",
         "flag",
         [](const settings& s) { return s.realm; },
         {"", "file", "environment", "flag"}},
        {"auth", "auth = \"none\"", "credentials", "none", as_number<&settings::auth>, {"0", "1", "0", "1"}},
        {"allow-anonymous-relay",
         "allow-anonymous-relay = true",
         "false",
         "",
         number<&settings::allow_anonymous_relay>,
         {"0", "1", "0", "1"}},
        {"user",
         "[auth]\nusers = [\"file:1\", \"more:2\"]",
         "environment:3,still\nother:4",
         "flag:5:6",
         users,
         {"", "file=1 more=2 ", "environment=3,still other=4 ", "flag=5:6 "}},
        {"user-database",
         "[auth]\nuser-database = \"" + files.path("a") + "\"",
         files.path("b"),
         files.path("c"),
         [](const settings& s) { return std::filesystem::path(s.user_database).filename().string(); },
         {"", "a", "b", "c"}},
        {"rest-secret-file",
         "[auth]\nrest-secret-files = [\"" + file_secret + "\"]",
         environment_secret,
         flag_secret,
         secrets,
         {"", "secret-in-the-toml-file ", "secret-of-environment ", "first-secret-of-flag second-secret-of-flag "}},
        {"username-anonymity",
         "[auth]\nusername-anonymity = true",
         "false",
         "",
         number<&settings::username_anonymity>,
         {"0", "1", "0", "1"}},
        {"integrity-failure-code",
         "[auth]\nintegrity-failure-code = 431",
         "401",
         "431",
         number<&settings::integrity_failure_code>,
         {"401", "431", "401", "431"}},
        {"stale-nonce",
         "[auth]\nstale-nonce = \"90s\"",
         "10m",
         "2h",
         seconds<&settings::stale_nonce>,
         {"3600", "90", "600", "7200"}},
        {"relay-address",
         "[relay]\naddresses = [{ bind = \"10.0.0.1\", advertised = \"192.0.2.1\" }, \"10.0.0.2\"]",
         "10.0.0.3,2001:db8::3",
         "10.0.0.4=192.0.2.4",
         relays,
         {"", "10.0.0.1=192.0.2.1 10.0.0.2 ", "10.0.0.3 2001:db8::3 ", "10.0.0.4=192.0.2.4 "}},
        {"relay-ports",
         "[relay]\nports = \"1000-2000\"",
         "3000-4000",
         "5000-5000",
         [](const settings& s) { return fmt::format("{}-{}", s.relay_port_min, s.relay_port_max); },
         {"49152-65535", "1000-2000", "3000-4000", "5000-5000"}},
        {"tcp-relay", "[relay]\ntcp = true", "false", "", number<&settings::tcp_relay>, {"0", "1", "0", "1"}},
        {"traffic-class",
         "[relay]\ntraffic-class = \"copy\"",
         "best-effort",
         "copy",
         number<&settings::copy_traffic_class>,
         {"0", "1", "0", "1"}},
        {"peer-policy",
         "[peers]\npolicy = \"allow-list\"",
         "public",
         "allow-list",
         number<&settings::public_peers>,
         {"1", "0", "1", "0"}},
        {"allow-peer",
         "[peers]\nallow = [\"10.0.0.0/8\"]",
         "10.1.0.0/16,::1",
         "10.2.0.1",
         [](const settings& s) { return joined(s.allow_peers); },
         {"", "10.0.0.0/8 ", "10.1.0.0/16 ::1/128 ", "10.2.0.1/32 "}},
        {"deny-peer",
         "[peers]\ndeny = [\"10.0.0.0/8\"]",
         "10.1.0.0/16",
         "10.2.0.0/16",
         [](const settings& s) { return joined(s.deny_peers); },
         {"", "10.0.0.0/8 ", "10.1.0.0/16 ", "10.2.0.0/16 "}},
        {"allocations-total",
         "[limits]\nallocations-total = 10",
         "20",
         "30",
         number<&settings::allocations_total>,
         {"0", "10", "20", "30"}},
        {"allocations-per-user",
         "[limits]\nallocations-per-user = 0",
         "2",
         "3",
         [](const settings& s) { return s.allocations_per_user ? std::to_string(*s.allocations_per_user) : "not set"; },
         {"not set", "0", "2", "3"}},
        {"bandwidth-per-allocation",
         "[limits]\nbandwidth-per-allocation = \"64000\"",
         "64k",
         "2G",
         number<&settings::bandwidth_per_allocation>,
         {"0", "64000", "64000", "2000000000"}},
        {"permissions-per-allocation",
         "[limits]\npermissions-per-allocation = 1",
         "2",
         "3",
         number<&settings::permissions_per_allocation>,
         {"64", "1", "2", "3"}},
        {"channels-per-allocation",
         "[limits]\nchannels-per-allocation = 1",
         "2",
         "3",
         number<&settings::channels_per_allocation>,
         {"64", "1", "2", "3"}},
        {"peer-connections-per-allocation",
         "[limits]\npeer-connections-per-allocation = 1",
         "2",
         "3",
         number<&settings::peer_connections_per_allocation>,
         {"64", "1", "2", "3"}},
        {"unauthenticated-bytes-per-second",
         "[limits]\nunauthenticated-bytes-per-second = 0",
         "2",
         "3",
         number<&settings::unauthenticated_bytes_per_second>,
         {"1048576", "0", "2", "3"}},
        {"unauthenticated-exempt",
         "[limits]\nunauthenticated-exempt = [\"10.0.0.0/8\"]",
         "10.1.0.0/16",
         "2001:db8::/32",
         [](const settings& s) { return joined(s.unauthenticated_exempt); },
         {"", "10.0.0.0/8 ", "10.1.0.0/16 ", "2001:db8::/32 "}},
        {"connections-without-allocation",
         "[limits]\nconnections-without-allocation = 1",
         "2",
         "3",
         number<&settings::connections_without_allocation>,
         {"4096", "1", "2", "3"}},
        {"connections-per-source",
         "[limits]\nconnections-per-source = 1",
         "2",
         "3",
         number<&settings::connections_per_source>,
         {"256", "1", "2", "3"}},
        {"connection-idle-timeout",
         "[limits]\nconnection-idle-timeout = \"1s\"",
         "1m",
         "1h",
         seconds<&settings::connection_idle_timeout>,
         {"30", "1", "60", "3600"}},
        {"tls-handshake-timeout",
         "[limits]\ntls-handshake-timeout = \"1s\"",
         "2s",
         "1m",
         seconds<&settings::tls_handshake_timeout>,
         {"10", "1", "2", "60"}},
        {"client-queue-bytes",
         "[limits]\nclient-queue-bytes = 65536",
         "65537",
         "65538",
         number<&settings::client_queue_bytes>,
         {"524288", "65536", "65537", "65538"}},
        {"client-queue-age",
         "[limits]\nclient-queue-age = \"500ms\"",
         "1s",
         "1m",
         [](const settings& s) { return std::to_string(s.client_queue_age.count()); },
         {"2000", "500", "1000", "60000"}},
        {"threads", "threads = 1", "2", "3", number<&settings::threads>, {"0", "1", "2", "3"}},
        {"backend", "backend = \"sockets\"", "auto", "sockets", as_number<&settings::backend>, {"0", "1", "0", "1"}},
        {"drain-timeout",
         "drain-timeout = \"0s\"",
         "2m",
         "1d",
         seconds<&settings::drain_timeout>,
         {"10", "0", "120", "86400"}},
        {"counters-file",
         "counters-file = \"" + files.path("a") + "\"",
         files.path("b"),
         files.path("c"),
         [](const settings& s) { return s.counters_file; },
         {"", files.path("a"), files.path("b"), files.path("c")}},
        {"admin-socket",
         "[admin]\nsocket = \"/a/turnd.sock\"",
         "/b/turnd.sock",
         "",
         [](const settings& s) { return s.admin_socket; },
         {"/run/turnd/turnd.sock", "/a/turnd.sock", "/b/turnd.sock", ""}},
        {"status-listen",
         "[admin]\nstatus-listen = \"127.0.0.1:9641\"",
         "[::1]:9641",
         "127.0.0.1:0",
         [](const settings& s) { return s.status_listen ? s.status_listen->to_string() : ""; },
         {"", "127.0.0.1:9641", "[::1]:9641", "127.0.0.1:0"}},
        {"log-level",
         "[log]\nlevel = \"debug\"",
         "warning",
         "error",
         as_number<&settings::log_level>,
         {"1", "0", "2", "3"}},
        {"log-format",
         "[log]\nformat = \"json\"",
         "text",
         "json",
         as_number<&settings::log_format>,
         {"0", "1", "0", "1"}},
        {"log-addresses",
         "[log]\naddresses = \"hashed\"",
         "plain",
         "hashed",
         as_number<&settings::log_addresses>,
         {"0", "1", "0", "1"}},
    };
}

/// Loads with the key in some of its places. Problems that come of other keys (no credentials) do not matter here.
std::string loaded(const row& r, bool in_file, bool in_environment, bool as_flag) {
    const key& k = *find_key(r.key);
    sources from;
    if (in_file) from.toml = r.toml + "\n";
    if (in_environment) from.variables[k.name == "user" ? "TURND_USER" : k.environment()] = r.variable;
    if (as_flag) {
        from.flags.push_back(k.flag());
        if (!k.argument.empty()) from.flags.push_back(r.flag);
    }
    const configuration c = load(from);
    for (const problem& p : c.problems) {
        // Only what is missing, or what auth and its neighbours say to each other.
        INFO(p.to_string());
        CHECK((p.where.name == "auth" || p.where.name == "realm" || p.where.name == k.name || p.where.name == k.path));
    }
    return r.shown(c.settings);
}

} // namespace

TEST_CASE("turnd: a flag beats the environment beats the file beats the default for every key") {
    const room files;
    const std::vector<row> rows = table(files);
    for (const key& k : all_keys()) {
        CAPTURE(std::string(k.name));
        const auto at = std::find_if(rows.begin(), rows.end(), [&](const row& r) { return r.key == k.name; });
        if (k.name == "config") continue;                   // decides which file is read: below
        if (k.form == toml_form::listener_member) continue; // stand in [[listener]]: turnd_listeners_test.cpp
        REQUIRE(at != rows.end());
        const auto& [by_default, by_file, by_environment, by_flag] = at->expected;
        CHECK(loaded(*at, false, false, false) == by_default);
        CHECK(loaded(*at, true, false, false) == by_file);
        CHECK(loaded(*at, false, true, false) == by_environment);
        CHECK(loaded(*at, false, false, true) == by_flag);
        CHECK(loaded(*at, true, true, false) == by_environment);
        CHECK(loaded(*at, true, false, true) == by_flag);
        CHECK(loaded(*at, false, true, true) == by_flag);
        CHECK(loaded(*at, true, true, true) == by_flag);
    }
}

TEST_CASE("turnd: the file is the one of the flag or else of the environment or else the default one") {
    const room files;
    const std::string by_default = files.file("default.toml", "threads = 1\nlistener = [{address = \"127.0.0.1:0\"}]");
    const std::string by_variable =
        files.file("variable.toml", "threads = 2\nlistener = [{address = \"127.0.0.1:0\"}]");
    const std::string by_flag = files.file("flag.toml", "threads = 3\nlistener = [{address = \"127.0.0.1:0\"}]");
    const layer flag{{"config", {{by_flag, {}}}}};
    const environment variable{{"TURND_CONFIG", by_variable}};

    CHECK(load_configuration({}, {}, files.path("absent")).settings.threads == 0);
    CHECK(load_configuration({}, {}, by_default).settings.threads == 1);
    CHECK(load_configuration({}, variable, by_default).settings.threads == 2);
    CHECK(load_configuration(flag, variable, by_default).settings.threads == 3);
    CHECK(load_configuration(flag, variable, by_default).file == by_flag);
    CHECK(load_configuration(flag, variable, by_default).problems.empty());
}

TEST_CASE("turnd: a repeatable flag collects its values and replaces the list of the file") {
    const configuration c = load({.flags = {"--allow-peer", "10.0.0.0/8", "--allow-peer=10.1.0.0/16", "--listen",
                                            "127.0.0.1:0", "--listen", "[::1]:0"},
                                  .variables = {},
                                  .toml = "[peers]\nallow = [\"192.168.0.0/16\"]\n"});
    CHECK(said(c) == "");
    CHECK(joined(c.settings.allow_peers) == "10.0.0.0/8 10.1.0.0/16 ");
    CHECK(listeners(c.settings) == "127.0.0.1:0 [::1]:0 ");
}

TEST_CASE("turnd: an empty list in the file is a value and an empty variable is none") {
    const configuration c =
        load({.flags = {},
              .variables = {{"TURND_THREADS", ""}, {"TURND_LISTEN", ""}},
              .toml = "threads = 2\nlistener = [{address = \"127.0.0.1:0\"}]\n[peers]\nallow = []\n"});
    CHECK(said(c) == "");
    CHECK(c.settings.threads == 2);
    CHECK(listeners(c.settings) == "127.0.0.1:0 ");
}
