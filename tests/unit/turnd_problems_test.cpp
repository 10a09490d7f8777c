#include <doctest/doctest.h>

#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

/// What turnd says of a file that also has a realm, a user and nothing else that is wrong. Line 4 on is `toml`.
std::string of_file(const std::string& toml) {
    return said(load({.flags = {}, .variables = {}, .toml = realm_and_user + toml}));
}

/// The same where `toml` stands before the first section, in line 1 on.
std::string of_top(const std::string& toml) {
    return said(load({.flags = {}, .variables = {}, .toml = toml + "\n" + realm_and_user}));
}

} // namespace

TEST_CASE("turnd: a problem names file and line and key and value and remedy") {
    CHECK(
        of_file("[relay]\nports = \"9-1\"") ==
        "turnd.toml:5: relay.ports = \"9-1\": the lowest port is above the highest; write MIN-MAX with ports from 1 to "
        "65535, e.g. \"49152-65535\"");
    CHECK(of_file("[limits]\nbandwidth-per-allocation = \"10Mbit\"") ==
          "turnd.toml:5: limits.bandwidth-per-allocation = \"10Mbit\": this is not a bandwidth; write bits per second, "
          "e.g. \"64000\", or with k, M or G, e.g. \"10M\"");
    CHECK(
        said(load({.flags = {"--relay-ports", "9-1"}, .variables = {}, .toml = realm_and_user})) ==
        "command line: --relay-ports = \"9-1\": the lowest port is above the highest; write MIN-MAX with ports from 1 "
        "to 65535, e.g. \"49152-65535\"");
    CHECK(
        said(load({.flags = {}, .variables = {{"TURND_RELAY_PORTS", "9-1"}}, .toml = realm_and_user})) ==
        "environment: TURND_RELAY_PORTS = \"9-1\": the lowest port is above the highest; write MIN-MAX with ports from "
        "1 to 65535, e.g. \"49152-65535\"");
}

TEST_CASE("turnd: every problem of every layer is reported") {
    const configuration c = load({.flags = {"--threads", "many", "--frobnicate"},
                                  .variables = {{"TURND_STALE_NONCE", "1"}},
                                  .toml = "relam = \"x\"\nthreads = -1\n[peers]\nallow = [\"10.0.0.1/8\", \"all\"]\n"});
    const std::string text = said(c);
    CHECK(contains(text, "command line: --frobnicate: there is no such flag"));
    CHECK(contains(text, "turnd.toml:1: relam"));
    CHECK(contains(text, "turnd.toml:2: threads = \"-1\""));
    CHECK(contains(text, "turnd.toml:4: peers.allow = \"10.0.0.1/8\""));
    CHECK(contains(text, "turnd.toml:4: peers.allow = \"all\""));
    CHECK(contains(text, "environment: TURND_STALE_NONCE = \"1\""));
    CHECK(contains(text, "command line: --threads = \"many\"")); // though it would win, the file's value is checked too
    CHECK(contains(text, "no way to authenticate"));
    CHECK(c.problems.size() == 8);
}

TEST_CASE("turnd: an unknown key is an error and the nearest one is suggested") {
    CHECK(of_top("relam = \"x\"") ==
          "turnd.toml:1: relam = \"x\": there is no such key; did you mean realm (in no section)?");
    CHECK(of_file("[relay]\nport = \"1-2\"") ==
          "turnd.toml:5: relay.port = \"1-2\": there is no such key; did you mean ports in [relay]?");
    // The name of the flag, and the right key in the wrong section.
    CHECK(contains(of_top("relay-ports = \"1-2\""), "did you mean ports in [relay]?"));
    CHECK(contains(of_file("[relay]\nallow = []"), "did you mean allow in [peers]?"));
    CHECK(contains(of_file("[limits]\nthreads = 2"), "did you mean threads (in no section)?"));
    CHECK(contains(of_top("listeners = []"), "did you mean [[listener]]?"));
    CHECK(contains(of_file("[[listener]]\naddress = \"127.0.0.1:0\"\nrelm = \"x\""),
                   "turnd.toml:6: listener.relm = \"x\": there is no such key; did you mean realm?"));
    CHECK(contains(of_file("[relay]\naddresses = [{ bind = \"192.0.2.1\", advertized = \"192.0.2.2\" }]"),
                   "relay.addresses.advertized = \"192.0.2.2\": there is no such key; did you mean advertised?"));
    CHECK(contains(of_file("[relay]\n\"x.ports\" = 1"), "turnd.toml:5: relay.x.ports = \"1\": there is no such key"));
    CHECK(contains(of_top("\"relay.ports\" = \"1-2\""), "turnd.toml:1: relay.ports = \"1-2\": there is no such key"));
    CHECK(contains(of_file("[colours]\nbackground = \"blue\""), "turnd.toml.example has all of them"));
}

TEST_CASE("turnd: keys of later versions are unknown in this one") {
    for (const char* flag : {"--mobility", "--nat-discovery"}) {
        CAPTURE(flag);
        CHECK(contains(said(load({.flags = {flag}, .variables = {}, .toml = realm_and_user})),
                       std::string("command line: ") + flag + ": there is no such flag"));
    }
}

TEST_CASE("turnd: a value of the wrong kind is told from a wrong value") {
    CHECK(of_top("threads = \"2\"") ==
          "turnd.toml:1: threads = \"2\": this is text, but the key takes a whole number; write e.g. threads = 2");
    CHECK(contains(of_top("threads = 2.5"), "this is a number with a fraction, but the key takes a whole number"));
    CHECK(contains(of_top("threads = 1979-05-27"), "this is a date or time"));
    CHECK(contains(of_top("realm = true"), "redefine")); // toml: twice in one file
    CHECK(contains(of_top("drain-timeout = 10"), "this is a whole number, but the key takes text in quotes; write e.g. "
                                                 "drain-timeout = \"10s\""));
    CHECK(
        of_file("[limits]\nbandwidth-per-allocation = 64000") ==
        "turnd.toml:5: limits.bandwidth-per-allocation = \"64000\": this is a whole number, but the key takes text in "
        "quotes; write e.g. bandwidth-per-allocation = \"10M\"");
    CHECK(contains(of_top("allow-anonymous-relay = \"no\""), "this is text, but the key takes true or false"));
    CHECK(contains(of_top("backend = [\"auto\"]"), "this is a list, but the key takes text in quotes"));
    CHECK(contains(of_top("backend = { kind = \"auto\" }"), "this is a table, but the key takes text in quotes"));
    CHECK(contains(of_file("[peers]\nallow = \"10.0.0.0/8\""),
                   "this is text, but the key takes a list of texts; write e.g. allow = [\"192.0.2.0/24\"]"));
    CHECK(contains(of_file("[peers]\nallow = [10]"), "this is a whole number, but the key takes a list of texts"));
    CHECK(
        contains(of_file("[relay]\naddresses = [[]]"), "this is a list, but the key takes a list of tables or texts"));
    CHECK(contains(of_file("[relay]\naddresses = [{ advertised = \"192.0.2.1\" }]"), "bind is missing"));
    CHECK(contains(of_file("[relay]\naddresses = [{ bind = 5 }]"),
                   "relay.addresses.bind = \"5\": this is a whole number"));
    CHECK(contains(of_top("relay = 5"), "relay is a whole number, but a section is expected; write [relay], once"));
    CHECK(contains(of_file("[[relay]]\nports = \"1-2\""), "a section is expected"));
    CHECK(contains(of_file("[listener]\naddress = \"127.0.0.1:0\""),
                   "this is a table, but the key takes [[listener]] tables"));
    CHECK(contains(of_top("listener = [\"127.0.0.1:0\"]"), "this is text, but the key takes [[listener]] tables"));
    CHECK(contains(of_file("[[listener]]\nrealm = \"r\""), "listener: address is missing; write address = "));
    CHECK(contains(of_file("[[listener]]\naddress = 3478"), "listener.address = \"3478\": this is a whole number"));
    CHECK(contains(of_file("[[listener]]\naddress = \"127.0.0.1\""),
                   "turnd.toml:5: listener.address = \"127.0.0.1\": the port is missing; write \"127.0.0.1:3478\""));
}

TEST_CASE("turnd: choices and doubles") {
    CHECK(contains(
        of_file("integrity-failure-code = 404"),
        "turnd.toml:4: auth.integrity-failure-code = \"404\": this is none of the choices; write one of 401, 431"));
    CHECK(contains(of_top("backend = \"io_uring\""), "write one of auto, sockets"));
    CHECK(contains(of_file("[log]\nlevel = \"loud\""), "write one of debug, info, warning, error"));
    CHECK(contains(of_file("[[listener]]\naddress = \"127.0.0.1:1\"\n[[listener]]\naddress = \"127.0.0.1:1\""),
                   "turnd.toml:7: listener.address = \"127.0.0.1:1\": this listener is given twice"));
    CHECK(of_file("[[listener]]\naddress = \"127.0.0.1:0\"\n[[listener]]\naddress = \"127.0.0.1:0\"") ==
          ""); // any port
    CHECK(contains(of_file("[relay]\naddresses = [\"10.0.0.1\", \"10.0.0.1=192.0.2.1\"]"), "given twice"));
    CHECK(contains(said(load({.flags = {"--realm", "a", "--realm", "b"}, .variables = {}, .toml = realm_and_user})),
                   "command line: --realm = \"b\": the flag is given more than once"));
    CHECK(contains(
        said(load({.flags = {"--user", "ann:1", "--user", "ann:2"}, .variables = {}, .toml = "realm = \"r\"\n"})),
        "a user of this name is given twice"));
}

TEST_CASE("turnd: a file that is no TOML is one problem with its line") {
    const std::string text =
        said(load({.flags = {}, .variables = {}, .toml = "realm = \"example.org\"\nthreads = \n"}));
    CHECK(contains(text, "turnd.toml:2: this is not TOML: "));
    CHECK(contains(text, "column"));
    CHECK(!contains(text, "\n")); // that there are no credentials may be untrue
    CHECK(contains(said(load({.flags = {}, .variables = {}, .toml = "realm = \"\xff\"\n"})),
                   "turnd.toml:1: this is not TOML"));
    CHECK(contains(said(load({.flags = {}, .variables = {}, .toml = std::string("realm = \"a\0b\"\n", 14)})),
                   "turnd.toml:1: this is not TOML"));
    CHECK(
        contains(said(load({.flags = {}, .variables = {}, .toml = "realm = \"a\"\nrealm = \"b\"\n"})), "turnd.toml:2"));
}

TEST_CASE("turnd: a file that cannot be read is a problem of whoever named it") {
    CHECK(contains(
        said(load({.flags = {"--config", "/nonexistent/x.toml"}, .variables = {}, .toml = ""})),
        "command line: --config = \"/nonexistent/x.toml\": the file cannot be read: No such file or directory; "
        "create it or correct the path"));
    CHECK(contains(said(load({.flags = {}, .variables = {{"TURND_CONFIG", "/"}}, .toml = ""})),
                   "environment: TURND_CONFIG = \"/\": this is a directory"));
}

TEST_CASE("turnd: control characters and bytes that are no text are refused and shown harmlessly") {
    CHECK(of_top("backend = \"a\\u0000b\"") ==
          "turnd.toml:1: backend = \"a\\x00b\": the value holds a control character; remove it");
    CHECK(contains(of_file("[peers]\nallow = [\"10.0.0.0/8\\n\"]"),
                   "= \"10.0.0.0/8\\x0a\": the value holds a control character"));
    CHECK(contains(said(load({.flags = {"--backend", "\xff\x1b[31m"}, .variables = {}, .toml = realm_and_user})),
                   "--backend = \"\\xff\\x1b[31m\": the value is not UTF-8"));
    CHECK(contains(of_file("[[listener]]\naddress = \"127.0.0.1:0\"\nrealm = \"a\\tb\""),
                   "listener.realm = \"a\\x09b\""));
    CHECK(contains(of_top("backend = \"%s%n\""), "backend = \"%s%n\": this is none of the choices"));
    CHECK(contains(of_top("backend = \"" + std::string(5000, 'x') + "\""), "longer than 4096 bytes"));
    CHECK(of_top("backend = \"" + std::string(5000, 'x') + "\"").size() < 400); // and not repeated in full
    const std::string no_toml = of_top("threads = tr\x03\x1b[31m");
    CHECK(contains(no_toml, "turnd.toml:1: this is not TOML: "));
    CHECK(!contains(no_toml, "\x03"));
    CHECK(!contains(no_toml, "\x1b"));
    CHECK(contains(of_top("\"a\\nb\" = 1"), "turnd.toml:1: a\\x0ab = \"1\": there is no such key"));
}

TEST_CASE("turnd: no problem repeats a secret") {
    const auto quiet = [](const std::string& text) { return !text.empty() && !contains(text, "hush"); };
    CHECK(quiet(of_file("user = [\"ann:hush\"]")));
    CHECK(quiet(of_file("password = \"hush\"")));
    CHECK(quiet(said(load({.flags = {}, .variables = {}, .toml = "realm = \"r\"\n[auth]\nusers = \"ann:hush\"\n"}))));
    CHECK(quiet(said(load({.flags = {}, .variables = {}, .toml = "realm = \"r\"\n[auth]\nusers = [\"hush\"]\n"}))));
    CHECK(quiet(said(load({.flags = {"--realm", "r", "--user", "ann\x01:hush"}, .variables = {}, .toml = ""}))));
    CHECK(quiet(said(load({.flags = {"--realm", "r", "--user", ":hush"}, .variables = {}, .toml = ""}))));
    CHECK(quiet(said(load({.flags = {"--realm", "r"}, .variables = {{"TURND_USER", "hush"}}, .toml = ""}))));
    CHECK(quiet(said(load({.flags = {"--realm", "r"}, .variables = {{"TURND_REST_SECRET", "hush"}}, .toml = ""}))));
    CHECK(
        contains(said(load({.flags = {"--realm", "r", "--user", "hush"}, .variables = {}, .toml = ""})),
                 "command line: --user (hidden): the colon between name and password is missing; write NAME:PASSWORD"));
}
