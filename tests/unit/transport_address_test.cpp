/// Addresses and prefixes as text.

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "turn/transport_address.hpp"

using namespace turn;
using namespace std::string_view_literals;

TEST_CASE("RFC 8489 4: a transport address is read and written") {
    struct {
        std::string_view text;
        std::string_view canonical;
        address_family family;
        int port;
    } const cases[] = {
        {"192.0.2.1:3478", "192.0.2.1:3478", address_family::ipv4, 3478},
        {"0.0.0.0:0", "0.0.0.0:0", address_family::ipv4, 0},
        {"255.255.255.255:65535", "255.255.255.255:65535", address_family::ipv4, 65535},
        {"[2001:db8::1]:3478", "[2001:db8::1]:3478", address_family::ipv6, 3478},
        {"[::]:0", "[::]:0", address_family::ipv6, 0},
        {"[2001:DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1", address_family::ipv6, 1}, // RFC 5952, 4
        {"[2001:db8:0:1:1:1:1:1]:1", "[2001:db8:0:1:1:1:1:1]:1", address_family::ipv6, 1},
        {"[2001:0:0:1:0:0:0:1]:1", "[2001:0:0:1::1]:1", address_family::ipv6, 1},
        {"[::ffff:192.0.2.1]:5", "[::ffff:192.0.2.1]:5", address_family::ipv6, 5},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:1", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1",
         address_family::ipv6, 1},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto a = transport_address::parse(c.text);
        REQUIRE(a);
        CHECK(a->to_string() == c.canonical);
        CHECK(a->family == c.family);
        CHECK(a->port == c.port);
        CHECK(*transport_address::parse(a->to_string()) == *a);
    }
}

TEST_CASE("RFC 8489 4: what is no transport address") {
    for (const auto text : {""sv,
                            ":"sv,
                            "192.0.2.1"sv,
                            "192.0.2.1:"sv,
                            ":3478"sv,
                            "192.0.2.1:65536"sv,
                            "192.0.2.1:99999"sv,
                            "192.0.2.1:100000"sv,
                            "192.0.2.1:4294967297"sv,
                            "192.0.2.1:-1"sv,
                            "192.0.2.1:+1"sv,
                            "192.0.2.1: 1"sv,
                            "192.0.2.1:1 "sv,
                            " 192.0.2.1:1"sv,
                            "192.0.2.1:0x1"sv,
                            "192.0.2.1:1a"sv,
                            "192.0.2.1:1:"sv,
                            "192.0.2.1:03478"sv,
                            "192.0.2.1:00"sv,
                            "192.0.2:1"sv,
                            "192.0.2.1.1:1"sv,
                            "192.0.2.256:1"sv,
                            "192.0.2.01:1"sv,
                            "192.0.2.1\0:1"sv,
                            "192.0.2.1:1\0"sv,
                            "[192.0.2.1]:1"sv,
                            "2001:db8::1:3478"sv,
                            "[2001:db8::1]"sv,
                            "[2001:db8::1]:"sv,
                            "[2001:db8::1:1"sv,
                            "2001:db8::1]:1"sv,
                            "[]:1"sv,
                            "[:1"sv,
                            "]:1"sv,
                            "[fe80::1%eth0]:1"sv,
                            "[fe80::1%1]:1"sv,
                            "[::1\0]:1"sv,
                            "[2001:db8:::1]:1"sv,
                            "[12345::1]:1"sv,
                            "[1:2:3:4:5:6:7:8:9]:1"sv,
                            "localhost:3478"sv,
                            "[aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa]:1"sv}) {
        CAPTURE(text);
        const auto a = transport_address::parse(text);
        REQUIRE_FALSE(a);
        CHECK(a.error() == errc::invalid_text);
    }
}

TEST_CASE("RFC 8489 4: an IP address alone") {
    CHECK(transport_address::parse_ip("192.0.2.1")->ip_to_string() == "192.0.2.1");
    CHECK(transport_address::parse_ip("192.0.2.1")->port == 0);
    CHECK(transport_address::parse_ip("2001:db8::1")->ip_to_string() == "2001:db8::1");
    CHECK(transport_address::parse_ip("::")->is_unspecified());
    CHECK(transport_address::parse_ip("0.0.0.0")->is_unspecified());
    CHECK_FALSE(transport_address::parse_ip("::1")->is_unspecified());
    CHECK(transport_address::parse_ip("127.255.0.1")->is_loopback());
    CHECK(transport_address::parse_ip("::1")->is_loopback());
    CHECK_FALSE(transport_address::parse_ip("128.0.0.1")->is_loopback());
    CHECK_FALSE(transport_address::parse_ip("7f00::1")->is_loopback());
    CHECK_FALSE(transport_address::parse_ip("::")->is_loopback());
    for (const auto text : {""sv, "192.0.2.1:1"sv, "[::1]"sv, "1"sv, "fe80::1%lo"sv, "::1 "sv, "192.0.2.1\0"sv}) {
        CAPTURE(text);
        CHECK_FALSE(transport_address::parse_ip(text).has_value());
    }
}

TEST_CASE("RFC 8489 4: an IPv4 address leaves the bytes behind it zero so that equal means the same address") {
    const auto a = *transport_address::parse("192.0.2.1:1");
    for (std::size_t i = 4; i < a.ip.size(); ++i) CHECK(a.ip[i] == 0);
    CHECK(a.same_ip(*transport_address::parse("192.0.2.1:2")));
    CHECK(a != a.with_port(2));
    CHECK_FALSE(a.same_ip(*transport_address::parse("[c000:201::]:1"))); // the same sixteen bytes
}

TEST_CASE("RFC 4632 3.1: a prefix is read and written and contains what it should") {
    struct {
        std::string_view text;
        std::string_view canonical;
        std::string_view inside;
        std::string_view outside;
    } const cases[] = {
        {"10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"172.16.0.0/12", "172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
        {"192.0.2.128/25", "192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        {"192.0.2.1", "192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
        {"192.0.2.1/32", "192.0.2.1/32", "192.0.2.1", "192.0.2.3"},
        {"0.0.0.0/0", "0.0.0.0/0", "255.255.255.255", "::1"},
        {"::/0", "::/0", "ffff::", "0.0.0.0"},
        {"128.0.0.0/1", "128.0.0.0/1", "255.0.0.0", "127.255.255.255"},
        {"2001:db8::/32", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"fe80::/10", "fe80::/10", "febf::1", "fec0::"},
        {"::1", "::1/128", "::1", "::"},
        {"::ffff:0.0.0.0/96", "::ffff:0.0.0.0/96", "::ffff:10.0.0.1", "10.0.0.1"},
        {"c000:200::/24", "c000:200::/24", "c000:2ff::", "192.0.2.1"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.text);
        const auto p = address_prefix::parse(c.text);
        REQUIRE(p);
        CHECK(p->to_string() == c.canonical);
        CHECK(*address_prefix::parse(p->to_string()) == *p);
        CHECK(p->contains(p->network));
        CHECK(p->contains(*transport_address::parse_ip(c.inside)));
        CHECK(p->contains(transport_address::parse_ip(c.inside)->with_port(9)));
        CHECK_FALSE(p->contains(*transport_address::parse_ip(c.outside)));
    }
}

TEST_CASE("RFC 4632 3.1: what is no prefix") {
    for (const auto text : {""sv,
                            "/"sv,
                            "/8"sv,
                            "10.0.0.0/"sv,
                            "10.0.0.0/33"sv,
                            "10.0.0.0/-1"sv,
                            "10.0.0.0/08"sv,
                            "10.0.0.0/8 "sv,
                            "10.0.0.0/8/8"sv,
                            "10.0.0.1/8"sv,
                            "10.0.0.1/31"sv,
                            "0.0.0.1/0"sv,
                            "10/8"sv,
                            "2001:db8::/129"sv,
                            "2001:db8::1/127"sv,
                            "2001:db8::/16"sv,
                            "[2001:db8::]/32"sv,
                            "10.0.0.0:1/8"sv,
                            "::/256"sv,
                            "::/99999999999"sv}) {
        CAPTURE(text);
        const auto p = address_prefix::parse(text);
        REQUIRE_FALSE(p);
        CHECK(p.error() == errc::invalid_text);
    }
}

TEST_CASE("RFC 4632 3.1: every prefix length splits the space at its bit") {
    for (unsigned length = 1; length <= 128; ++length) {
        transport_address all_ones;
        all_ones.family = address_family::ipv6;
        all_ones.ip.fill(0xff);
        address_prefix p;
        p.length = static_cast<std::uint8_t>(length);
        p.network.family = address_family::ipv6;
        for (unsigned bit = 0; bit < length; ++bit)
            p.network.ip[bit / 8] |= static_cast<std::uint8_t>(0x80U >> bit % 8);

        CHECK(*address_prefix::parse(p.to_string()) == p);
        CHECK(p.contains(all_ones));
        auto last_inside_bit_cleared = all_ones;
        last_inside_bit_cleared.ip[(length - 1) / 8] &= static_cast<std::uint8_t>(~(0x80U >> (length - 1) % 8));
        CHECK_FALSE(p.contains(last_inside_bit_cleared));
        if (length < 128) {
            auto first_outside_bit_cleared = all_ones;
            first_outside_bit_cleared.ip[length / 8] &= static_cast<std::uint8_t>(~(0x80U >> length % 8));
            CHECK(p.contains(first_outside_bit_cleared));
        }
    }
}
