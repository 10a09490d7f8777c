/// STUN and TURN URIs as text.

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "turn/uri.hpp"

using namespace turn;
using namespace std::string_view_literals;

namespace {

void check_refused(std::string_view text) {
    CAPTURE(text);
    const auto u = uri::parse(text);
    REQUIRE_FALSE(u);
    CHECK(u.error() == errc::invalid_text);
}

} // namespace

TEST_CASE("RFC 7064 A: the examples of STUN URIs") {
    struct {
        std::string_view text, host;
        bool secure;
        int port; ///< 0: none given
    } const cases[] = {
        {"stun:example.org", "example.org", false, 0},
        {"stuns:example.org", "example.org", true, 0},
        {"stun:example.org:8000", "example.org", false, 8000},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto u = uri::parse(c.text);
        REQUIRE(u);
        CHECK(u->scheme == (c.secure ? uri_scheme::stuns : uri_scheme::stun));
        CHECK(u->is_secure() == c.secure);
        CHECK(u->host == c.host);
        CHECK(u->port.value_or(0) == c.port);
        CHECK(u->transport.empty());
        CHECK(u->to_string() == c.text);
    }
}

TEST_CASE("RFC 7065 A: the examples of TURN URIs") {
    struct {
        std::string_view text, host;
        bool secure;
        int port; ///< 0: none given
        std::string_view transport;
    } const cases[] = {
        {"turn:example.org", "example.org", false, 0, ""},
        {"turns:example.org", "example.org", true, 0, ""},
        {"turn:example.org:8000", "example.org", false, 8000, ""},
        {"turn:example.org?transport=udp", "example.org", false, 0, "udp"},
        {"turn:example.org?transport=tcp", "example.org", false, 0, "tcp"},
        {"turns:example.org?transport=tcp", "example.org", true, 0, "tcp"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto u = uri::parse(c.text);
        REQUIRE(u);
        CHECK(u->scheme == (c.secure ? uri_scheme::turns : uri_scheme::turn));
        CHECK(u->is_secure() == c.secure);
        CHECK(u->host == c.host);
        CHECK(u->port.value_or(0) == c.port);
        CHECK(u->transport == c.transport);
        CHECK(u->to_string() == c.text);
    }
}

TEST_CASE("RFC 7065 3.2: what a URI leaves out has a default") {
    struct {
        std::string_view text;
        int port;
        std::string_view transport;
    } const cases[] = {
        {"stun:example.org", 3478, "udp"},
        {"stuns:example.org", 5349, "tcp"},
        {"turn:example.org", 3478, "udp"},
        {"turns:example.org", 5349, "tcp"},
        {"turn:example.org?transport=tcp", 3478, "tcp"},
        {"turns:example.org?transport=udp", 5349, "udp"}, // DTLS
        {"turns:example.org:443", 443, "tcp"},
        {"turn:example.org?transport=sctp", 3478, "sctp"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto u = uri::parse(c.text);
        REQUIRE(u);
        CHECK(u->port_or_default() == c.port);
        CHECK(u->transport_or_default() == c.transport);
    }
}

TEST_CASE("RFC 3986 3.2.2: a host is a name, an IPv4 address or an IPv6 address in brackets") {
    struct {
        std::string_view text, host, address; ///< address: empty when somebody has to look up the name
    } const cases[] = {
        {"stun:relay-1.example.org", "relay-1.example.org", ""},
        {"stun:example.org.", "example.org.", ""},
        {"stun:localhost", "localhost", ""},
        {"stun:a_b~c.example", "a_b~c.example", ""},
        {"stun:xn--bcher-kva.example", "xn--bcher-kva.example", ""},
        {"stun:1.2.3.4.example", "1.2.3.4.example", ""},
        {"stun:3com.example", "3com.example", ""},
        {"stun:example.x0", "example.x0", ""},
        {"stun:example.0xyz", "example.0xyz", ""},
        {"stun:192.0.2.1", "192.0.2.1", "192.0.2.1:3478"},
        {"turns:192.0.2.1:443", "192.0.2.1", "192.0.2.1:443"},
        {"stun:[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:3478"},
        {"turn:[2001:db8::1]:8000?transport=tcp", "2001:db8::1", "[2001:db8::1]:8000"},
        {"stuns:[::ffff:192.0.2.1]", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:5349"},
        {"stun:[::]", "::", "[::]:3478"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto u = uri::parse(c.text);
        REQUIRE(u);
        CHECK(u->host == c.host);
        CHECK(u->to_string() == c.text);
        const auto address = u->address();
        CHECK((address ? address->to_string() : "") == c.address);
    }
}

TEST_CASE("RFC 3986 6.2.2: other spellings are the same URI") {
    struct {
        std::string_view text, canonical;
    } const cases[] = {
        {"STUN:example.org", "stun:example.org"},
        {"TuRnS:EXAMPLE.Org?TRANSPORT=Tcp", "turns:example.org?transport=tcp"},
        {"turn:example.org?transport=X-New.1_~", "turn:example.org?transport=x-new.1_~"},
        {"stun:[2001:DB8:0:0:0:0:0:1]", "stun:[2001:db8::1]"},
        {"stun:example.org:", "stun:example.org"},
        {"stun:[::1]:", "stun:[::1]"},
        {"stun:example.org:0003478", "stun:example.org:3478"},
        {"stun:%65xampl%45%2Eorg", "stun:example.org"},
        {"stun:ex%41mple%2d1%5f%7E.org", "stun:example-1_~.org"},
        {"stun:%31%39%32.0.2.1", "stun:192.0.2.1"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto u = uri::parse(c.text);
        REQUIRE(u);
        CHECK(u->to_string() == c.canonical);
        CHECK(*u == *uri::parse(c.canonical));
    }
    // A default that is given is kept: it decides how the name is looked up (RFC 5928, 3).
    CHECK(uri::parse("stun:example.org:3478")->to_string() == "stun:example.org:3478");
    CHECK_FALSE(*uri::parse("stun:example.org:3478") == *uri::parse("stun:example.org"));
}

TEST_CASE("RFC 7065 3.1: what has no scheme of ours, or more than scheme, host, port and transport, is refused") {
    for (const auto text :
         {""sv, ":"sv, "stun"sv, "example.org"sv, ":example.org"sv, "stun example.org"sv, " stun:example.org"sv,
          "http:example.org"sv, "stunt:example.org"sv, "stu:example.org"sv, "turnss:example.org"sv, "192.0.2.1:3478"sv,
          "stun\0:example.org"sv,
          // Neither hierarchical, nor with a user, a path, a query of its own or a fragment.
          "turn://example.org"sv, "turn:ann@example.org"sv, "turn:ann:secret@example.org"sv, "turn:example.org/"sv,
          "turn:example.org:3478/path"sv, "turn:example.org#here"sv, "turn:example.org?transport=udp#here"sv,
          "turn:example.org?"sv, "turn:example.org?transport"sv, "turn:example.org?transport="sv,
          "turn:example.org?proto=udp"sv, "turn:example.org?transport=udp&x=y"sv, "turn:example.org?transport=u%64p"sv,
          "turn:example.org?transport=udp?transport=udp"sv, "turn:example.org?transport=udp:3478"sv,
          "turn:example.org?transport=udp "sv, "turn:example.org? transport=udp"sv, "turn:example.org transport=udp"sv,
          // RFC 7064 has no transport.
          "stun:example.org?transport=udp"sv, "stuns:example.org?transport=tcp"sv, "stun:example.org?"sv})
        check_refused(text);
}

TEST_CASE("RFC 3986 3.2.2: what is no host is refused") {
    for (const auto text :
         {"stun:"sv, "turn:?transport=udp"sv, "stun::3478"sv, "stun:."sv, "stun:example.."sv, "stun: example.org"sv,
          "stun:example.org "sv, "stun:exa mple.org"sv, "stun:a,b"sv, "stun:a;b"sv, "stun:a!b"sv, "stun:\"a\""sv,
          "stun:a\\b"sv, "stun:example.org\0"sv, "stun:example.org\n"sv,
          "stun:b\xc3\xbc"
          "cher.example"sv,
          // Numbers that some resolvers take for addresses.
          "stun:192.0.2.256"sv, "stun:192.0.2"sv, "stun:192.0.2.01"sv, "stun:192.0.2.1.1"sv, "stun:192.0.2.1."sv,
          "stun:3221225985"sv, "stun:0x7f000001"sv, "stun:0X7F.1"sv, "stun:127.0.0.0x1"sv, "stun:example.0x"sv,
          "stun:example.1"sv,
          // IPv6 addresses: brackets around the whole of one and around nothing else.
          "stun:2001:db8::1"sv, "stun:::1"sv, "stun:[]"sv, "stun:["sv, "stun:]"sv, "stun:[::1"sv, "stun:::1]"sv,
          "stun:[::1]]"sv, "stun:[[::1]]"sv, "stun:[192.0.2.1]"sv, "stun:[example.org]"sv, "stun:a[::1]"sv,
          "stun:[::1]a"sv, "stun:[::1]3478"sv, "stun:[fe80::1%25eth0]"sv, "stun:[fe80::1%eth0]"sv, "stun:[v1.a]"sv,
          "stun:[::1%00]"sv, "stun:[%3A%3A1]"sv, "stun:%5B::1%5D"sv,
          // Encodings that end early or stand for what cannot be in a name.
          "stun:%"sv, "stun:a%4"sv, "stun:a%"sv, "stun:a%4g"sv, "stun:a%g4"sv, "stun:a%+4"sv, "stun:a% 4"sv,
          "stun:example.org%00.attacker.example"sv, "stun:example.org%3A80"sv, "stun:ann%40example.org"sv,
          "stun:a%2Fb"sv, "stun:a%20b"sv, "stun:a%2541"sv, "stun:b%C3%BCcher.example"sv, "stun:a%FF"sv})
        check_refused(text);
}

TEST_CASE("RFC 3986 3.2.3: what is no port is refused") {
    CHECK(uri::parse("stun:example.org:1")->port == 1);
    CHECK(uri::parse("stun:example.org:65535")->port == 65535);
    for (const auto text :
         {"stun:example.org:0"sv, "stun:example.org:000"sv, "stun:example.org:65536"sv, "stun:example.org:99999"sv,
          "stun:example.org:4294970774"sv, "stun:example.org:18446744073709555094"sv, "stun:example.org:-1"sv,
          "stun:example.org:+1"sv, "stun:example.org: 1"sv, "stun:example.org:1 "sv, "stun:example.org:1a"sv,
          "stun:example.org:0x1"sv, "stun:example.org:http"sv, "stun:example.org:1:2"sv, "stun:example.org::1"sv,
          "stun:[::1]:65536"sv, "stun:[::1]:]"sv, "stun:example.org:%31"sv})
        check_refused(text);
}

TEST_CASE("RFC 3986 3.2.2: a long name takes as much memory as it has letters") {
    const std::string name(100'000, 'A');
    const auto u = uri::parse("turn:" + name + "?transport=" + name);
    REQUIRE(u);
    CHECK(u->host == std::string(name.size(), 'a'));
    CHECK(u->transport == u->host);
    CHECK(u->host.capacity() <= name.size() + 1);
    const std::string zeros(100'000, '0');
    CHECK(uri::parse("stun:a:" + zeros + "1")->port == 1);
}
