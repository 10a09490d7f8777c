/// Who may be a peer: RFC 8656, 21.4, 10.2 and 12.2 leave it to the server; these are our rules. One function decides
/// for every way to name a peer, so most of this speaks to authorize_peer() directly.

#include "support/story.hpp"

#include <array>
#include <cstdint>
#include <random>

#include "turn/peer_policy.hpp"

namespace turn::test {

namespace {

bool reachable(const peer_policy& policy, const transport_address& peer, bool any_port = false) {
    return authorize_peer(policy, peer, any_port).allowed;
}
bool reachable(const transport_address& peer) {
    return reachable(peer_policy{}, peer);
}

transport_address ipv4(std::uint32_t value, std::uint16_t port = 9) {
    transport_address a;
    for (std::size_t i = 0; i < 4; ++i) a.ip[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i) & 0xff);
    a.port = port;
    return a;
}

/// The addresses at both ends of a prefix.
transport_address first_of(const address_prefix& p) {
    return p.network.with_port(9);
}
transport_address last_of(const address_prefix& p) {
    transport_address a = first_of(p);
    const std::size_t bits = a.is_ipv4() ? 32 : 128;
    for (std::size_t bit = p.length; bit < bits; ++bit) a.ip[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
    return a;
}
/// One more or one less, as a number; false at the end of the address space.
bool step(transport_address& a, int by) {
    for (std::size_t i = a.is_ipv4() ? 4 : 16; i-- > 0;) {
        const int digit = a.ip[i] + by;
        a.ip[i] = static_cast<std::uint8_t>(digit & 0xff);
        if (digit >= 0 && digit <= 255) return true;
    }
    return false;
}

/// The special-purpose ranges nobody may reach unless named in `allow`.
struct special {
    const char* prefix;
    bool before_is_public; ///< the address in front of the range
    bool behind_is_public; ///< the address behind it
};
constexpr std::array special_ranges{
    special{"0.0.0.0/8", false, true},           // this network; nothing is in front of it
    special{"10.0.0.0/8", true, true},           // private
    special{"100.64.0.0/10", true, true},        // carrier-grade NAT
    special{"127.0.0.0/8", true, true},          // loopback
    special{"169.254.0.0/16", true, true},       // link-local, where clouds keep their metadata
    special{"172.16.0.0/12", true, true},        // private
    special{"192.0.0.0/24", true, true},         // protocol assignments
    special{"192.0.2.0/24", true, true},         // documentation
    special{"192.168.0.0/16", true, true},       // private
    special{"198.18.0.0/15", true, true},        // benchmarking
    special{"198.51.100.0/24", true, true},      // documentation
    special{"203.0.113.0/24", true, true},       // documentation
    special{"224.0.0.0/4", true, false},         // multicast; reserved addresses are behind it
    special{"240.0.0.0/4", false, false},        // reserved
    special{"255.255.255.255/32", false, false}, // broadcast
    special{"::/128", false, false},             // unspecified
    special{"::1/128", false, false},            // loopback
    special{"fc00::/7", true, true},             // unique-local
    special{"fe80::/10", true, false},           // link-local; site-local is behind it
    special{"fec0::/10", false, false},          // site-local; multicast is behind it
    special{"ff00::/8", false, false},           // multicast
    special{"2001:db8::/32", true, true},        // documentation
    special{"2001::/32", true, false},           // Teredo; other protocol assignments are behind it
    special{"2002::/16", true, true},            // 6to4
    special{"100::/64", true, false},            // discard-only
};

/// IPv4 addresses of both kinds: the ends of the special ranges, their neighbours, and a thousand at random.
std::vector<transport_address> many_ipv4() {
    std::vector<transport_address> all;
    for (const special& s : special_ranges) {
        const address_prefix p = prefix(s.prefix);
        if (!p.network.is_ipv4()) continue;
        for (transport_address a : {first_of(p), last_of(p)}) {
            all.push_back(a);
            if (step(a, 1)) all.push_back(a);
            if (step(a, -1) && step(a, -1)) all.push_back(a);
        }
    }
    std::mt19937 random(8656); // NOLINT: the same addresses in every run
    for (int i = 0; i < 1000; ++i) all.push_back(ipv4(static_cast<std::uint32_t>(random())));
    return all;
}

/// An IPv6 address with these groups of 16 bits, an IPv4 address written over bytes `where` to `where` + 3.
transport_address embedded(std::array<unsigned, 8> groups, const transport_address& inner, std::size_t where) {
    transport_address a;
    a.family = address_family::ipv6;
    a.port = inner.port;
    for (std::size_t i = 0; i < 8; ++i) {
        a.ip[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
        a.ip[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xff);
    }
    for (std::size_t i = 0; i < 4; ++i) a.ip[where + i] = inner.ip[i];
    return a;
}

/// The first of many IPv4 addresses that can be reached in these clothes; none: empty.
std::string first_reachable(std::array<unsigned, 8> groups, std::size_t where) {
    for (const auto& inner : many_ipv4())
        if (const auto dressed = embedded(groups, inner, where); reachable(dressed)) return dressed.to_string();
    return {};
}

} // namespace

TEST_CASE("RFC 8656 21.4: special-purpose ranges are no peers from their first to their last address") {
    for (const special& s : special_ranges) {
        CAPTURE(s.prefix);
        const address_prefix p = prefix(s.prefix);
        CHECK_FALSE(reachable(first_of(p)));
        CHECK_FALSE(reachable(last_of(p)));
        CHECK_FALSE(authorize_peer({}, first_of(p)).rule.empty());
        if (transport_address before = first_of(p); step(before, -1)) CHECK(reachable(before) == s.before_is_public);
        if (transport_address behind = last_of(p); step(behind, 1)) CHECK(reachable(behind) == s.behind_is_public);
    }
}

TEST_CASE("RFC 8656 21.4: ordinary public addresses are peers") {
    for (const char* a : {"1.1.1.1:1", "9.255.255.255:443", "25.0.0.1:5000", "223.255.255.255:65535", "[2600::1]:1",
                          "[2a01:4f8::1]:443", "[2400:cb00::1]:53"}) {
        CAPTURE(a);
        const peer_verdict verdict = authorize_peer({}, at(a));
        CHECK(verdict.allowed);
        CHECK(verdict.rule.empty());
    }
}

TEST_CASE("RFC 8656 21.4: tunnel addresses are no peers") {
    CHECK(first_reachable({0x2002, 0, 0, 0, 0, 0, 0, 1}, 2) == "");                      // 6to4
    CHECK(first_reachable({0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, 0, 0}, 12) == ""); // Teredo client
    CHECK(first_reachable({0x2001, 0, 0, 0, 0x8000, 1, 2, 3}, 4) == "");                 // Teredo server
}

TEST_CASE("RFC 8656 21.4: ISATAP addresses are no peers under whatever prefix") {
    CHECK(first_reachable({0x2600, 1, 2, 3, 0x0000, 0x5efe, 0, 0}, 12) == "");
    CHECK(first_reachable({0x2a01, 1, 2, 3, 0x0200, 0x5efe, 0, 0}, 12) == "");
}

TEST_CASE("RFC 8656 21.4: an IPv4 address in IPv6 clothes is no peer whatever it is inside") {
    CHECK(first_reachable({0, 0, 0, 0, 0, 0xffff, 0, 0}, 12) == "");    // mapped
    CHECK(first_reachable({0, 0, 0, 0, 0, 0, 0, 0}, 12) == "");         // compatible
    CHECK(first_reachable({0, 0, 0, 0, 0xffff, 0, 0, 0}, 12) == "");    // translated
    CHECK(first_reachable({0x64, 0xff9b, 1, 0, 0, 0, 0, 0}, 12) == ""); // NAT64 of local use
}

TEST_CASE("RFC 8656 21.4: behind NAT64 the embedded address is judged") {
    for (const auto& inner : many_ipv4()) {
        CAPTURE(inner.to_string());
        CHECK(reachable(embedded({0x64, 0xff9b, 0, 0, 0, 0, 0, 0}, inner, 12)) == reachable(inner));
    }
}

TEST_CASE("RFC 8656 21.4: behind NAT64 allow and deny and our own addresses count too") {
    const auto nat64 = [](std::string_view inner) { return embedded({0x64, 0xff9b, 0, 0, 0, 0, 0, 0}, at(inner), 12); };
    peer_policy policy;
    policy.allow = {prefix("10.0.0.0/8")};
    policy.deny = {prefix("25.0.7.0/24")};
    policy.own_services = {at("25.0.8.1:5432")};
    CHECK(reachable(policy, nat64("10.1.2.3:9")));
    CHECK_FALSE(reachable(policy, nat64("25.0.7.1:9")));
    CHECK_FALSE(reachable(policy, nat64("25.0.8.1:5432")));
    CHECK_FALSE(reachable(policy, nat64("192.168.0.1:9")));
}

TEST_CASE("RFC 8656 10.2: allow makes an exception for what it names and nothing else") {
    peer_policy policy;
    policy.allow = {prefix("172.16.85.180/32"), prefix("fd00:1::/64")};
    CHECK(reachable(policy, at("172.16.85.180:9")));
    CHECK_FALSE(reachable(policy, at("172.16.85.181:9")));
    CHECK_FALSE(reachable(policy, at("172.16.85.179:9")));
    CHECK(reachable(policy, at("[fd00:1::7]:9")));
    CHECK_FALSE(reachable(policy, at("[fd00:2::7]:9")));
    CHECK(reachable(policy, at("25.0.7.1:9"))); // the public rest is as reachable as before
}

TEST_CASE("RFC 8656 10.2: deny beats allow and names itself") {
    peer_policy policy;
    policy.allow = {prefix("10.0.0.0/8")};
    policy.deny = {prefix("10.5.0.0/16"), prefix("25.0.7.0/24")};
    CHECK(reachable(policy, at("10.4.255.255:9")));
    CHECK_FALSE(reachable(policy, at("10.5.0.0:9")));
    CHECK(reachable(policy, at("10.6.0.0:9")));
    const peer_verdict verdict = authorize_peer(policy, at("25.0.7.1:9"));
    CHECK_FALSE(verdict.allowed);
    CHECK(verdict.rule == "deny 25.0.7.0/24");
}

TEST_CASE("RFC 8656 10.2: an allow-list reaches what it names and nothing else") {
    peer_policy policy;
    policy.public_peers = false;
    policy.allow = {prefix("25.0.7.0/24")};
    CHECK(reachable(policy, at("25.0.7.1:9")));
    CHECK_FALSE(reachable(policy, at("25.0.8.1:9")));
    CHECK_FALSE(reachable(policy, at("10.0.0.1:9")));
    CHECK_FALSE(reachable(policy, at("[2600::1]:9")));
    CHECK_FALSE(authorize_peer(policy, at("25.0.8.1:9")).rule.empty());
}

TEST_CASE("RFC 8656 10.2: our own services are no peers whatever allow says") {
    peer_policy policy;
    policy.allow = {prefix("0.0.0.0/0"), prefix("::/0")};
    policy.own_services = {at("25.0.7.1:3478"), at("127.0.0.1:9641"), at("[2600::1]:3478")};
    for (const transport_address& own : policy.own_services) {
        CAPTURE(own.to_string());
        CHECK_FALSE(reachable(policy, own));
        CHECK_FALSE(authorize_peer(policy, own).rule.empty());
        CHECK(reachable(policy, own.with_port(4000))); // the address is not the service
    }
}

TEST_CASE("RFC 8656 10.2: our own services are no peers in whatever IPv6 clothes and whatever allow says") {
    peer_policy policy;
    policy.allow = {prefix("::/0")};
    policy.own_services = {at("25.0.7.1:3478")};
    const auto service = policy.own_services.front();
    auto turned_over = service; // RFC 4380, 4: Teredo writes the client's address so
    for (std::size_t i = 0; i < 4; ++i) turned_over.ip[i] ^= 0xff;
    const std::array<std::pair<const char*, transport_address>, 8> clothes{{
        {"mapped", embedded({0, 0, 0, 0, 0, 0xffff, 0, 0}, service, 12)},
        {"compatible", embedded({0, 0, 0, 0, 0, 0, 0, 0}, service, 12)},
        {"translated", embedded({0, 0, 0, 0, 0xffff, 0, 0, 0}, service, 12)},
        {"NAT64", embedded({0x64, 0xff9b, 0, 0, 0, 0, 0, 0}, service, 12)},
        {"6to4", embedded({0x2002, 0, 0, 0, 0, 0, 0, 1}, service, 2)},
        {"Teredo", embedded({0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, 0, 0}, turned_over, 12)},
        {"ISATAP", embedded({0x2600, 1, 2, 3, 0x0000, 0x5efe, 0, 0}, service, 12)},
        {"ISATAP, universal", embedded({0x2a01, 1, 2, 3, 0x0200, 0x5efe, 0, 0}, service, 12)},
    }};
    for (const auto& worn : clothes) {
        CAPTURE(worn.first);
        const transport_address& dressed = worn.second;
        const peer_verdict verdict = authorize_peer(policy, dressed);
        CHECK_FALSE(verdict.allowed);
        CHECK(verdict.rule == "own service");
        // It is the port that is refused, so a permission, which has none, must have it judged with the data.
        CHECK(reachable(policy, dressed.with_port(4000)));
        CHECK(authorize_peer(policy, dressed.with_port(0), true).allowed);
        CHECK(authorize_peer(policy, dressed.with_port(0), true).port_matters);
    }
}

TEST_CASE("RFC 8656 11.2: a Send indication to a service of ours in 6to4 clothes is dropped under a permission") {
    relay_options options;
    options.peers.allow = {prefix("2002::/16")};
    options.peers.own_services = {at("25.0.7.1:3478")};
    world w(options);
    auto ann = w.raw("ann");
    REQUIRE(ann.ask(ann.allocate_request().with<stun::requested_address_family>(address_family::ipv6)).code() ==
            success);
    auto& service = w.peer(at("[2002:1900:701::1]:3478"));
    auto& bob = w.peer(at("[2002:1900:701::1]:4000"));
    REQUIRE(ann.permit(bob).code() == success);
    ann.send_indication(bob.address, "hello");
    ann.send_indication(service.address, "hello");
    w.settle();
    CHECK(bob.received == texts{"hello"});
    CHECK(service.received.empty());
    CHECK(w.dropped(direction::up, reason::peer_denied) == 1);
    CHECK(ann.bind_channel(0x4000, service).code() == 403);
}

TEST_CASE("RFC 8656 10.2: a permission for the address of a service stands and its port is judged with the data") {
    peer_policy policy;
    policy.own_services = {at("25.0.7.1:3478")};
    const peer_verdict any_port = authorize_peer(policy, at("25.0.7.1:0"), true);
    // Without relays on that address its other ports are nothing we offer: see allow.
    CHECK(any_port.port_matters);
    policy.allow = {prefix("25.0.7.1/32")};
    CHECK(authorize_peer(policy, at("25.0.7.1:0"), true).allowed);
    CHECK(authorize_peer(policy, at("25.0.7.1:0"), true).port_matters);
    CHECK_FALSE(authorize_peer(policy, at("25.0.7.2:0"), true).port_matters);
}

TEST_CASE("RFC 8656 10.2: our own relay addresses are peers on relay ports whatever range they are in") {
    for (const char* own : {"25.0.7.1:0", "192.168.245.61:0", "127.0.0.1:0", "[fd00::1]:0"}) {
        CAPTURE(own);
        peer_policy policy;
        policy.own_relays = {at(own)};
        policy.relay_port_min = 50'000;
        policy.relay_port_max = 51'000;
        CHECK(reachable(policy, at(own).with_port(50'000)));
        CHECK(reachable(policy, at(own).with_port(51'000)));
        CHECK(reachable(policy, at(own), true)); // CreatePermission names no port
        CHECK(authorize_peer(policy, at(own), true).port_matters);
        for (const int port : {22, 3478, 49'999, 51'001, 65'535}) {
            CAPTURE(port);
            CHECK_FALSE(reachable(policy, at(own).with_port(static_cast<std::uint16_t>(port))));
        }
    }
}

TEST_CASE("RFC 8656 10.2: a service on a relay port of ours is still no peer") {
    peer_policy policy;
    policy.own_relays = {at("25.0.7.1:0")};
    policy.own_services = {at("25.0.7.1:50001")};
    CHECK_FALSE(reachable(policy, at("25.0.7.1:50001")));
    CHECK(reachable(policy, at("25.0.7.1:50002")));
}

TEST_CASE("RFC 8656 10.2: allow opens the other ports of a relay address") {
    peer_policy policy;
    policy.own_relays = {at("25.0.7.1:0")};
    policy.allow = {prefix("25.0.7.1/32")};
    CHECK(reachable(policy, at("25.0.7.1:22")));
}

TEST_CASE("RFC 8656 10.2: the deny list does not lock out our own relay addresses") {
    peer_policy policy;
    policy.own_relays = {at("25.0.7.1:0")};
    policy.deny = {prefix("25.0.0.0/16")};
    CHECK(reachable(policy, at("25.0.7.1:50000")));
    CHECK(reachable(policy, at("25.0.7.1:0"), true));
    CHECK_FALSE(reachable(policy, at("25.0.7.1:22")));
    CHECK_FALSE(reachable(policy, at("25.0.7.2:50000")));
}

TEST_CASE("RFC 8656 12.2: port 0 is nobody's") {
    CHECK_FALSE(reachable(at("25.0.7.1:0")));
    CHECK(reachable(peer_policy{}, at("25.0.7.1:0"), true));
}

TEST_CASE("RFC 8656 10.2: every way to name a peer asks the same judge") {
    world w;
    auto ann = w.raw("ann");
    const answer both = ann.ask(ann.allocate_request().with<stun::additional_address_family>(address_family::ipv6));
    REQUIRE(both.code() == success);
    auto& bob = w.peer();
    REQUIRE(ann.permit(bob).code() == success);
    for (const char* forbidden : {"0.0.0.0:9", "127.0.0.1:9", "10.0.0.1:9", "169.254.169.254:80", "255.255.255.255:9",
                                  "[::]:9", "[::1]:9", "[::ffff:127.0.0.1]:9", "[::7f00:1]:9", "[2002:7f00:1::1]:9",
                                  "[64:ff9b::a00:1]:9", "[fe80::1]:9", "[fd00::1]:9"}) {
        CAPTURE(forbidden);
        const transport_address peer = at(forbidden);
        CHECK(ann.permit({peer}).code() == 403);
        CHECK(ann.bind_channel(0x4000, peer).code() == 403);
        auto& victim = w.peer(peer);
        ann.send_indication(peer, "hello");
        CHECK(victim.received.empty());
    }
    CHECK(w.refused(reason::peer_denied) == 26);
}

} // namespace turn::test
