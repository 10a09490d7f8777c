#include <doctest/doctest.h>

#include <limits>

#include "parse_value.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;

namespace {

/// What is wrong with a text, or nothing.
template <class T>
std::string wrong(const parsed<T>& value) {
    return value ? "" : value.error().what;
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += text;
    return result;
}

} // namespace

TEST_CASE("turnd: numbers are whole and within their range") {
    CHECK(*parse_number("0", 0, 10) == 0);
    CHECK(*parse_number("10", 0, 10) == 10);
    CHECK(*parse_number("18446744073709551615", 0, std::numeric_limits<std::uint64_t>::max()) ==
          std::numeric_limits<std::uint64_t>::max());
    CHECK(wrong(parse_number("11", 0, 10)) == "the number is out of range");
    CHECK(wrong(parse_number("0", 1, 10)) == "the number is out of range");
    CHECK(wrong(parse_number("18446744073709551616", 0, 10)) == "the number is out of range");
    for (const char* text : {"", "-1", "+1", "1.0", "1e3", "0x10", " 1", "1 ", "one", "%s"}) {
        CAPTURE(text);
        CHECK(wrong(parse_number(text, 0, 10)) == "this is not a whole number");
    }
    CHECK(parse_number("11", 0, 10).error().remedy == "write one from 0 to 10");
}

TEST_CASE("turnd: durations have a unit") {
    CHECK(*parse_duration("90s", 0s, 24h) == 90s);
    CHECK(*parse_duration("10m", 0s, 24h) == 10min);
    CHECK(*parse_duration("1h", 0s, 24h) == 1h);
    CHECK(*parse_duration("1d", 0s, 24h) == 24h);
    CHECK(*parse_duration("0s", 0s, 24h) == 0s);
    CHECK(wrong(parse_duration("90", 0s, 24h)) == "the unit is missing");
    CHECK(parse_duration("90", 0s, 24h).error().remedy == "write \"90s\" if seconds are meant");
    CHECK(wrong(parse_duration("25h", 0s, 24h)) == "the duration is out of range");
    CHECK(wrong(parse_duration("9s", 10s, 24h)) == "the duration is out of range");
    CHECK(parse_duration("9s", 10s, 24h).error().remedy == "write one from 10s to 1d");
    CHECK(wrong(parse_duration("18446744073709551615d", 0s, 24h)) == "the duration is out of range");
    for (const char* text : {"", "s", "-1s", "1.5h", "1 h", "1h30m", "1w", "1S", "500ms"}) {
        CAPTURE(text);
        CHECK(wrong(parse_duration(text, 0s, 24h)) == "this is not a duration");
    }
}

TEST_CASE("turnd: short durations may be in milliseconds") {
    CHECK(*parse_short_duration("500ms", 10ms, 60s) == 500ms);
    CHECK(*parse_short_duration("10ms", 10ms, 60s) == 10ms);
    CHECK(*parse_short_duration("2s", 10ms, 60s) == 2s);
    CHECK(*parse_short_duration("1m", 10ms, 60s) == 1min);
    CHECK(wrong(parse_short_duration("9ms", 10ms, 60s)) == "the duration is out of range");
    CHECK(parse_short_duration("61s", 10ms, 60s).error().remedy == "write one from 10ms to 1m");
    CHECK(wrong(parse_short_duration("18446744073709551615ms", 10ms, 60s)) == "the duration is out of range");
    CHECK(wrong(parse_short_duration("500", 10ms, 60s)) == "the unit is missing");
    for (const char* text : {"", "ms", "-1ms", "1.5ms", "1 ms", "1us", "1MS"}) {
        CAPTURE(text);
        CHECK(wrong(parse_short_duration(text, 10ms, 60s)) == "this is not a duration");
    }
    CHECK(parse_short_duration("1x", 10ms, 60s).error().remedy == "write a number and ms, s, m, h or d, e.g. \"90s\"");
}

TEST_CASE("turnd: a bandwidth is in bits per second, or in thousands, millions and thousand millions of them") {
    CHECK(*parse_bandwidth("0") == 0);
    CHECK(*parse_bandwidth("0M") == 0);
    CHECK(*parse_bandwidth("64000") == 64'000);
    CHECK(*parse_bandwidth("64k") == 64'000);
    CHECK(*parse_bandwidth("10M") == 10'000'000);
    CHECK(*parse_bandwidth("1k") == 1'000);
    CHECK(*parse_bandwidth("100G") == 100'000'000'000);
    for (const char* text : {"999", "1", "101G", "100000000001", "18446744073709551615k"}) {
        CAPTURE(text);
        CHECK(wrong(parse_bandwidth(text)) == "the bandwidth is out of range");
        CHECK(parse_bandwidth(text).error().remedy == "write one from 1k to 100G, or 0 for no limit");
    }
    for (const char* text :
         {"", "k", "-1", "1.5M", "1 M", "1K", "1m", "1kk", "1Mbit", "fast", "18446744073709551616"}) {
        CAPTURE(text);
        CHECK(wrong(parse_bandwidth(text)) == "this is not a bandwidth");
    }
    CHECK(parse_bandwidth("fast").error().remedy ==
          "write bits per second, e.g. \"64000\", or with k, M or G, e.g. \"10M\"");
}

TEST_CASE("turnd: port ranges go upwards from 1 to 65535") {
    CHECK(*parse_port_range("49152-65535") == std::pair<std::uint16_t, std::uint16_t>(49152, 65535));
    CHECK(*parse_port_range("1-1") == std::pair<std::uint16_t, std::uint16_t>(1, 1));
    CHECK(wrong(parse_port_range("2-1")) == "the lowest port is above the highest");
    CHECK(wrong(parse_port_range("0-1")) == "a port is out of range");
    CHECK(wrong(parse_port_range("1-65536")) == "a port is out of range");
    for (const char* text : {"", "-", "1", "1-", "-1", "1-2-3", "a-b", "1 - 2"}) {
        CAPTURE(text);
        CHECK(wrong(parse_port_range(text)) == "this is not a port range");
    }
}

TEST_CASE("turnd: listeners are IP addresses with a port") {
    CHECK(parse_listen_address("0.0.0.0:3478")->to_string() == "0.0.0.0:3478");
    CHECK(parse_listen_address("[::]:0")->to_string() == "[::]:0");
    CHECK(parse_listen_address("192.0.2.1").error().remedy == "write \"192.0.2.1:3478\"");
    CHECK(parse_listen_address("2001:db8::1").error().remedy == "write \"[2001:db8::1]:3478\"");
    CHECK(wrong(parse_listen_address("224.0.0.1:3478")) == "this is a multicast address");
    for (const char* text : {"", ":3478", "localhost:3478", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.256:1", "[::1]",
                             "192.0.2.1:1 ", "[fe80::1%eth0]:1"}) {
        CAPTURE(text);
        CHECK(wrong(parse_listen_address(text)) == "this is not an IP address with a port (names are not looked up)");
    }
}

TEST_CASE("turnd: relay addresses may be advertised as another of the same family") {
    CHECK(parse_relay_address("192.0.2.1")->bind.ip_to_string() == "192.0.2.1");
    CHECK(!parse_relay_address("192.0.2.1")->advertised);
    CHECK(parse_relay_address("10.0.0.5=192.0.2.1")->advertised->ip_to_string() == "192.0.2.1");
    CHECK(parse_relay_address("::1=2001:db8::1")->bind.ip_to_string() == "::1");
    CHECK(wrong(parse_relay_address("")) == "this is not an IP address");
    CHECK(wrong(parse_relay_address("=192.0.2.1")) == "this is not an IP address");
    CHECK(wrong(parse_relay_address("192.0.2.1:3478")) ==
          "a relay address has no port (relay-ports gives their range)");
    CHECK(wrong(parse_relay_address("0.0.0.0")) == "relays cannot be bound to this address: clients are told it");
    CHECK(wrong(parse_relay_address("ff02::1")) == "relays cannot be bound to this address: clients are told it");
    CHECK(wrong(parse_relay_address("10.0.0.5=")) == "the advertised address is not an IP address");
    CHECK(wrong(parse_relay_address("10.0.0.5=nat.example")) == "the advertised address is not an IP address");
    CHECK(wrong(parse_relay_address("10.0.0.5=0.0.0.0")) == "the advertised address cannot be reached by anybody");
    CHECK(wrong(parse_relay_address("10.0.0.5=2001:db8::1")) == "the two addresses are of different families");
}

TEST_CASE("turnd: prefixes with bits behind their length are shown as they were meant") {
    CHECK(parse_prefix("10.0.0.0/8")->to_string() == "10.0.0.0/8");
    CHECK(parse_prefix("2001:db8::1")->to_string() == "2001:db8::1/128");
    CHECK(parse_prefix("10.1.2.3/8").error().remedy == "write \"10.0.0.0/8\"");
    CHECK(parse_prefix("172.31.255.255/12").error().remedy == "write \"172.16.0.0/12\"");
    CHECK(parse_prefix("2001:db8::1/32").error().remedy == "write \"2001:db8::/32\"");
    for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10/8", "::/129", "all", "10.0.0.0/-1", "10.0.0.0/8/8"}) {
        CAPTURE(text);
        CHECK(wrong(parse_prefix(text)) == "this is not an address prefix");
    }
}

TEST_CASE("turnd: the first colon divides a user from his password") {
    CHECK(parse_user("ann:secret")->name == "ann");
    CHECK(parse_user("ann:secret")->password == "secret");
    CHECK(parse_user("ann:a:b:")->password == "a:b:");
    CHECK(parse_user("%s%n:%d")->name == "%s%n");
    CHECK(wrong(parse_user("ann")) == "the colon between name and password is missing");
    CHECK(wrong(parse_user("")) == "the colon between name and password is missing");
    CHECK(wrong(parse_user(":secret")) == "the user name is empty");
    CHECK(wrong(parse_user("ann:")) == "the password is empty");
}

TEST_CASE("RFC 8265 4.2: user names and passwords are OpaqueString and names come back in that form") {
    CHECK(parse_user("André:π=3")->name == "André");
    CHECK(parse_user("Andre\u0301:x")->name == "Andr\u00e9"); // composed (NFC)
    CHECK(parse_user("a\u00a0b:x")->name == "a b");           // a space of another kind
    CHECK(contains(wrong(parse_user("a\tb:x")), "user name is not acceptable"));
    CHECK(contains(wrong(parse_user("\xff:x")), "user name is not acceptable"));
    CHECK(contains(wrong(parse_user(std::string_view("user\0junk:x", 11))), "user name is not acceptable"));
    CHECK(contains(wrong(parse_user("ann:\x01")), "password is not acceptable"));
}

TEST_CASE("RFC 8489 14.3: a user name has at most 508 bytes") {
    CHECK(parse_user(repeated("n", 508) + ":x"));
    CHECK(wrong(parse_user(repeated("n", 509) + ":x")) == "the user name is longer than 508 bytes (RFC 8489, 14.3)");
    CHECK(!parse_user(repeated("é", 255) + ":x")); // 510 bytes
}

TEST_CASE("RFC 8489 14.9: a realm has fewer than 128 characters") {
    CHECK(*parse_realm("example.org") == "example.org");
    CHECK(*parse_realm(repeated("é", 127)) == repeated("é", 127));
    CHECK(contains(wrong(parse_realm(repeated("r", 128))), "longer than 127 characters"));
    CHECK(wrong(parse_realm("")) == "the realm is empty");
    CHECK(contains(wrong(parse_realm("a\nb")), "not acceptable"));
}
