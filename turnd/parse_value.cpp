#include "parse_value.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "printable.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {
namespace {

constexpr std::size_t longest_name = 508;  ///< bytes of USERNAME: RFC 8489, 14.3
constexpr std::size_t longest_realm = 127; ///< characters of REALM: RFC 8489, 14.9
// Bits per second: below, even a telephone call is impossible; above, it is no limit.
constexpr std::uint64_t least_bandwidth = 1'000;
constexpr std::uint64_t most_bandwidth = 100'000'000'000;

std::optional<std::uint64_t> digits(std::string_view text) {
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
    return n;
}

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string shown(std::chrono::milliseconds time) {
    if (time.count() % 1000 != 0) return fmt::format("{}ms", time.count());
    const auto n = time.count() / 1000;
    if (n != 0 && n % 86400 == 0) return fmt::format("{}d", n / 86400);
    if (n != 0 && n % 3600 == 0) return fmt::format("{}h", n / 3600);
    if (n != 0 && n % 60 == 0) return fmt::format("{}m", n / 60);
    return fmt::format("{}s", n);
}

std::uint64_t milliseconds_of(char unit) {
    switch (unit) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 86400 * 1000;
    default:
        return 0;
    }
}

/// What k, M and G stand for in front of bits per second; anything else: 1.
std::uint64_t thousands_of(char unit) {
    switch (unit) {
    case 'k':
        return 1'000;
    case 'M':
        return 1'000'000;
    case 'G':
        return 1'000'000'000;
    default:
        return 1;
    }
}

/// `units`: those that may be written, for the remedy; "ms" only where it is among them.
parsed<std::chrono::milliseconds> read_duration(std::string_view text, std::chrono::milliseconds min,
                                                std::chrono::milliseconds max, std::string_view units) {
    if (const auto bare = digits(text))
        return complaint{"the unit is missing", fmt::format("write \"{}s\" if seconds are meant", *bare)};
    const bool fine = units.starts_with("ms") && text.ends_with("ms");
    const std::uint64_t unit = text.empty() ? 0 : fine ? 1 : milliseconds_of(text.back());
    const auto n = unit == 0 ? std::nullopt : digits(text.substr(0, text.size() - (fine ? 2 : 1)));
    if (!n) return complaint{"this is not a duration", fmt::format("write a number and {}, e.g. \"90s\"", units)};
    const auto limit = static_cast<std::uint64_t>(max.count());
    if (*n > limit / unit || *n * unit < static_cast<std::uint64_t>(min.count()))
        return complaint{"the duration is out of range",
                         fmt::format("write one from {} to {}", shown(min), shown(max))};
    return std::chrono::milliseconds(*n * unit);
}

/// "10.1.2.3/8" → "10.0.0.0/8", when that is what is wrong with it.
std::optional<std::string> with_host_bits_cleared(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return {};
    auto network = turn::transport_address::parse_ip(text.substr(0, slash));
    const auto length = digits(text.substr(slash + 1));
    if (!network || !length || *length > (network->is_ipv4() ? 32U : 128U)) return {};
    for (std::size_t bit = *length; bit < 128; ++bit)
        network->ip[bit / 8] = static_cast<std::uint8_t>(network->ip[bit / 8] & ~(0x80U >> bit % 8));
    return fmt::format("{}/{}", network->ip_to_string(), *length);
}

bool is_multicast(const turn::transport_address& a) {
    return a.is_ipv4() ? (a.ip[0] & 0xF0) == 0xE0 : a.ip[0] == 0xFF;
}

} // namespace

parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max) {
    const bool all_digits =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!all_digits) return complaint{"this is not a whole number", fmt::format("write one from {} to {}", min, max)};
    const auto n = digits(text);
    if (!n || *n < min || *n > max)
        return complaint{"the number is out of range", fmt::format("write one from {} to {}", min, max)};
    return *n;
}

parsed<bool> parse_switch(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return complaint{"this is neither true nor false", "write true or false"};
}

parsed<std::chrono::seconds> parse_duration(std::string_view text, std::chrono::seconds min, std::chrono::seconds max) {
    const auto time = read_duration(text, min, max, "s, m, h or d");
    if (!time) return time.error();
    return std::chrono::duration_cast<std::chrono::seconds>(*time);
}

parsed<std::chrono::milliseconds> parse_short_duration(std::string_view text, std::chrono::milliseconds min,
                                                       std::chrono::milliseconds max) {
    return read_duration(text, min, max, "ms, s, m, h or d");
}

parsed<std::uint64_t> parse_bandwidth(std::string_view text) {
    const std::uint64_t unit = text.empty() ? 1 : thousands_of(text.back());
    const auto n = digits(text.substr(0, text.size() - (unit == 1 ? 0 : 1)));
    if (!n)
        return complaint{"this is not a bandwidth",
                         "write bits per second, e.g. \"64000\", or with k, M or G, e.g. \"10M\""};
    if (*n != 0 && (*n > most_bandwidth / unit || *n * unit < least_bandwidth))
        return complaint{"the bandwidth is out of range", "write one from 1k to 100G, or 0 for no limit"};
    return *n * unit;
}

parsed<std::pair<std::uint16_t, std::uint16_t>> parse_port_range(std::string_view text) {
    const std::string remedy = "write MIN-MAX with ports from 1 to 65535, e.g. \"49152-65535\"";
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return complaint{"this is not a port range", remedy};
    const auto low = digits(text.substr(0, dash));
    const auto high = digits(text.substr(dash + 1));
    if (!low || !high) return complaint{"this is not a port range", remedy};
    if (*low < 1 || *low > 65535 || *high > 65535) return complaint{"a port is out of range", remedy};
    if (*low > *high) return complaint{"the lowest port is above the highest", remedy};
    return std::pair(static_cast<std::uint16_t>(*low), static_cast<std::uint16_t>(*high));
}

parsed<turn::transport_address> parse_listen_address(std::string_view text) {
    if (const auto address = turn::transport_address::parse(text)) {
        if (is_multicast(*address)) return complaint{"this is a multicast address", "name an address of this machine"};
        return *address;
    }
    if (const auto ip = turn::transport_address::parse_ip(text))
        return complaint{"the port is missing", fmt::format("write \"{}\"", ip->with_port(3478).to_string())};
    return complaint{"this is not an IP address with a port (names are not looked up)",
                     "write e.g. \"192.0.2.1:3478\" or \"[2001:db8::1]:3478\""};
}

parsed<turn::relay_address> parse_relay_address(std::string_view text) {
    const std::string remedy = "write an IP address of this machine, e.g. \"192.0.2.1\", or \"10.0.0.5=192.0.2.1\" "
                               "when clients are to be told another one";
    turn::relay_address relay;
    const std::size_t equals = text.find('=');
    const auto bind = turn::transport_address::parse_ip(text.substr(0, equals));
    if (!bind) {
        const bool port = turn::transport_address::parse(text.substr(0, equals)).has_value();
        return complaint{
            port ? "a relay address has no port (relay-ports gives their range)" : "this is not an IP address", remedy};
    }
    if (bind->is_unspecified() || is_multicast(*bind))
        return complaint{"relays cannot be bound to this address: clients are told it", remedy};
    relay.bind = *bind;
    if (equals == std::string_view::npos) return relay;

    const auto advertised = turn::transport_address::parse_ip(text.substr(equals + 1));
    if (!advertised) return complaint{"the advertised address is not an IP address", remedy};
    if (advertised->is_unspecified() || is_multicast(*advertised))
        return complaint{"the advertised address cannot be reached by anybody", remedy};
    if (advertised->family != bind->family)
        return complaint{"the two addresses are of different families", "give IPv4 and IPv6 a relay address each"};
    relay.advertised = *advertised;
    return relay;
}

parsed<std::string> parse_socket_path(std::string_view text) {
    constexpr std::size_t longest = 107; // unix(7): sun_path
    if (text.size() > longest)
        return complaint{fmt::format("the path is longer than {} bytes (unix(7))", longest), "choose a shorter one"};
    if (!is_utf8(text) || has_control_characters(text))
        return complaint{"the path has control characters or is not UTF-8", "write e.g. \"/run/turnd/turnd.sock\""};
    return std::string(text);
}

parsed<turn::address_prefix> parse_prefix(std::string_view text) {
    if (const auto prefix = turn::address_prefix::parse(text)) return *prefix;
    if (const auto meant = with_host_bits_cleared(text))
        return complaint{"bits are set behind the prefix length", fmt::format("write \"{}\"", *meant)};
    return complaint{"this is not an address prefix", "write e.g. \"10.0.0.0/8\", \"2001:db8::/32\" or one address"};
}

parsed<user_setting> parse_user(std::string_view text) {
    const std::string remedy = "write NAME:PASSWORD";
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return complaint{"the colon between name and password is missing", remedy};
    const std::string_view password = text.substr(colon + 1);
    if (colon == 0) return complaint{"the user name is empty", remedy};
    if (password.empty()) return complaint{"the password is empty", remedy};

    auto name = parse_user_name(text.substr(0, colon));
    if (!name) return name.error();
    if (auto why = check_password(password)) return *std::move(why);
    return user_setting{*std::move(name), std::string(password)};
}

parsed<std::string> parse_user_name(std::string_view text) {
    if (text.empty()) return complaint{"the user name is empty", "write a name"};
    auto name = turn::stun::opaque_string(text);
    if (!name)
        return complaint{"the user name is not acceptable (RFC 8265 OpaqueString)",
                         "use UTF-8 without control characters and unassigned code points"};
    if (text.size() > longest_name || name->size() > longest_name)
        return complaint{fmt::format("the user name is longer than {} bytes (RFC 8489, 14.3)", longest_name),
                         "shorten it"};
    return *std::move(name);
}

std::optional<complaint> check_password(std::string_view password) {
    if (password.empty()) return complaint{"the password is empty", "choose one that is hard to guess"};
    if (!turn::stun::opaque_string(password))
        return complaint{"the password is not acceptable (RFC 8265 OpaqueString)",
                         "use UTF-8 without control characters and unassigned code points"};
    return {};
}

parsed<std::string> parse_realm(std::string_view text) {
    if (text.empty()) return complaint{"the realm is empty", "write a name, e.g. \"example.org\""};
    auto realm = turn::stun::opaque_string(text);
    if (!realm)
        return complaint{"the realm is not acceptable (RFC 8265 OpaqueString)",
                         "use UTF-8 without control characters and unassigned code points"};
    if (characters(*realm) > longest_realm)
        return complaint{fmt::format("the realm is longer than {} characters (RFC 8489, 14.9)", longest_realm),
                         "shorten it"};
    return *std::move(realm);
}

} // namespace turnd
