/// Which peers may be reached: one table, one order of judgement.

#include "relay/judge_peer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace turn {

namespace {

/// Where no peer of a public relay lives. IANA special-purpose registries and what operators got burnt by.
struct special_range {
    std::string_view prefix, what;
};
constexpr std::array special_ranges{
    special_range{"0.0.0.0/8", "this network"},
    special_range{"10.0.0.0/8", "private"},
    special_range{"100.64.0.0/10", "carrier-grade NAT"},
    special_range{"127.0.0.0/8", "loopback"},
    special_range{"169.254.0.0/16", "link-local"},
    special_range{"172.16.0.0/12", "private"},
    special_range{"192.0.0.0/24", "IETF protocol assignments"},
    special_range{"192.0.2.0/24", "documentation"},
    special_range{"192.31.196.0/24", "AS112"},
    special_range{"192.52.193.0/24", "AMT"},
    special_range{"192.88.99.0/24", "6to4 relay anycast"},
    special_range{"192.168.0.0/16", "private"},
    special_range{"192.175.48.0/24", "AS112"},
    special_range{"198.18.0.0/15", "benchmarking"},
    special_range{"198.51.100.0/24", "documentation"},
    special_range{"203.0.113.0/24", "documentation"},
    special_range{"224.0.0.0/4", "multicast"},
    special_range{"240.0.0.0/4", "reserved"}, // limited broadcast included
    special_range{"::/128", "unspecified"},
    special_range{"::1/128", "loopback"},
    special_range{"::/96", "IPv4-compatible"},
    special_range{"::ffff:0:0/96", "IPv4-mapped"},
    special_range{"::ffff:0:0:0/96", "IPv4-translated"},
    special_range{"64:ff9b:1::/48", "local-use NAT64"},
    special_range{"100::/64", "discard-only"},
    special_range{"100:0:0:1::/64", "dummy prefix"},
    special_range{"2001::/32", "Teredo"},
    special_range{"2001::/23", "IETF protocol assignments"},
    special_range{"2001:db8::/32", "documentation"},
    special_range{"2002::/16", "6to4"},
    special_range{"2620:4f:8000::/48", "AS112"},
    special_range{"3fff::/20", "documentation"},
    special_range{"5f00::/16", "segment routing"},
    special_range{"fc00::/7", "unique-local"},
    special_range{"fe80::/10", "link-local"},
    special_range{"fec0::/10", "site-local"},
    special_range{"ff00::/8", "multicast"},
};

struct parsed_range {
    address_prefix prefix{};
    std::string_view what{};
};

/// Parsed once; immutable from then on.
const std::array<parsed_range, special_ranges.size()>& parsed_ranges() {
    static const auto table = [] {
        std::array<parsed_range, special_ranges.size()> t{};
        for (std::size_t i = 0; i < t.size(); ++i)
            t[i] = {address_prefix::parse(special_ranges[i].prefix).value_or({}), special_ranges[i].what};
        return t;
    }();
    return table;
}

const address_prefix* find_prefix(const std::vector<address_prefix>& list, const transport_address& a) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& p) { return p.contains(a); });
    return found == list.end() ? nullptr : &*found;
}

bool has_ip(const std::vector<transport_address>& list, const transport_address& a) {
    return std::any_of(list.begin(), list.end(), [&](const auto& own) { return own.same_ip(a); });
}

/// The IPv4 address that an IPv6 address may stand for.
struct embedded_ipv4 {
    transport_address address{};
    bool nat64 = false; ///< 64:ff9b::/96 (RFC 6052, 2.1): the only form whose embedded address is judged, not refused
};

/// The IPv4 address at `offset`, with the bits of `mask` turned over (Teredo hides the client's address that way).
transport_address ipv4_at(const transport_address& a, std::size_t offset, std::uint8_t mask = 0) noexcept {
    transport_address inner;
    for (std::size_t i = 0; i < 4; ++i) inner.ip[i] = static_cast<std::uint8_t>(a.ip[offset + i] ^ mask);
    inner.port = a.port;
    return inner;
}

bool begins(const transport_address& a, std::initializer_list<std::uint8_t> with, std::size_t offset = 0) noexcept {
    return std::equal(with.begin(), with.end(), a.ip.begin() + static_cast<std::ptrdiff_t>(offset));
}

/// 0000:5efe:a.b.c.d or 0200:5efe:a.b.c.d as interface identifier, under any prefix (RFC 5214, 6.1).
bool is_isatap(const transport_address& a) noexcept {
    return !a.is_ipv4() && (begins(a, {0, 0, 0x5e, 0xfe}, 8) || begins(a, {2, 0, 0x5e, 0xfe}, 8));
}

std::optional<embedded_ipv4> find_embedded(const transport_address& a) noexcept {
    if (a.is_ipv4()) return std::nullopt;
    if (begins(a, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return embedded_ipv4{ipv4_at(a, 12), true};
    const bool zeros = begins(a, {0, 0, 0, 0, 0, 0, 0, 0});
    const bool mapped = begins(a, {0, 0, 0xff, 0xff}, 8);
    const bool translated = begins(a, {0xff, 0xff, 0, 0}, 8);
    const bool compatible = begins(a, {0, 0, 0, 0}, 8);
    if (zeros && (mapped || translated || compatible)) return embedded_ipv4{ipv4_at(a, 12)};
    if (begins(a, {0x20, 0x02})) return embedded_ipv4{ipv4_at(a, 2)};              // 6to4, RFC 3056
    if (begins(a, {0x20, 0x01, 0, 0})) return embedded_ipv4{ipv4_at(a, 12, 0xff)}; // Teredo, RFC 4380
    if (is_isatap(a)) return embedded_ipv4{ipv4_at(a, 12)};
    return std::nullopt;
}

/// The special-purpose range an address lies in; null: none.
const parsed_range* find_special(const transport_address& a) noexcept {
    const auto& table = parsed_ranges();
    const auto found = std::find_if(table.begin(), table.end(), [&](const auto& r) { return r.prefix.contains(a); });
    return found == table.end() ? nullptr : &*found;
}

} // namespace

std::string peer_judgement::to_string() const {
    std::string text = of_embedded ? "NAT64 of " : "";
    text += rule;
    if (has_prefix) text += ' ' + prefix.to_string();
    return text;
}

peer_judgement judge_peer(const peer_policy& policy, const transport_address& peer, bool any_port) noexcept {
    const auto embedded = find_embedded(peer);
    const transport_address* const nat64 = embedded && embedded->nat64 ? &embedded->address : nullptr;
    const auto either = [&](const auto& test) { return test(peer) || (nat64 != nullptr && test(*nat64)); };
    const bool own_relay = either([&](const auto& a) { return has_ip(policy.own_relays, a); });
    const bool own_service = either([&](const auto& a) { return has_ip(policy.own_services, a); });

    const bool service_in_disguise = embedded && has_ip(policy.own_services, embedded->address);
    peer_judgement verdict{.port_matters = own_relay || own_service || service_in_disguise};
    const auto deny = [&](std::string_view rule) {
        verdict.rule = rule;
        return verdict;
    };
    const auto deny_range = [&](std::string_view rule, const address_prefix& range, bool of_embedded) {
        verdict.prefix = range;
        verdict.has_prefix = true;
        verdict.of_embedded = of_embedded;
        return deny(rule);
    };
    const auto allow = [&] {
        verdict.allowed = true;
        return verdict;
    };

    if (!any_port) {
        if (peer.port == 0) return deny("port 0");
        // In whatever clothing: an own service stays one as a mapped, 6to4 or other embedding address.
        const auto is_service = [&](const auto& a) {
            return std::find(policy.own_services.begin(), policy.own_services.end(), a) != policy.own_services.end();
        };
        if (is_service(peer) || (embedded && is_service(embedded->address))) return deny("own service");
    }
    const bool relay_port = peer.port >= policy.relay_port_min && peer.port <= policy.relay_port_max;
    if (own_relay && (any_port || relay_port)) return allow(); // two users of this server meet there
    verdict.outside_range = own_relay;

    if (const auto* range = find_prefix(policy.deny, peer)) return deny_range("deny", *range, false);
    if (nat64 != nullptr)
        if (const auto* range = find_prefix(policy.deny, *nat64)) return deny_range("deny", *range, true);
    if (either([&](const auto& a) { return find_prefix(policy.allow, a) != nullptr; })) return allow();

    if (own_relay || own_service) return deny("own address, not a relay port");
    if (!policy.public_peers) return deny("not in allow");
    if (const auto* range = find_special(peer)) return deny_range(range->what, range->prefix, false);
    if (nat64 != nullptr)
        if (const auto* range = find_special(*nat64)) return deny_range(range->what, range->prefix, true);
    if (is_isatap(peer)) return deny("ISATAP");
    return allow();
}

peer_verdict authorize_peer(const peer_policy& policy, const transport_address& peer, bool any_port) {
    const peer_judgement judgement = judge_peer(policy, peer, any_port);
    return {judgement.allowed, judgement.port_matters, judgement.allowed ? std::string() : judgement.to_string()};
}

} // namespace turn
