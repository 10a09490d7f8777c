#include "turn/uri.hpp"

#include <algorithm>
#include <array>

/// RFC 7065, 3.1 (RFC 7064, 3.1 is the same without the query):
///   turnURI = scheme ":" host [ ":" port ] [ "?transport=" transport ]
/// `host` and `port` are those of RFC 3986, 3.2, of which IPvFuture and what no host is called are left out.
namespace turn {

namespace {

constexpr std::array<std::string_view, 4> scheme_names = {"stun", "stuns", "turn", "turns"};
constexpr std::string_view query = "transport=";

/// ASCII only, whatever the locale.
constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), to_lower);
    return result;
}

/// RFC 3986, 2.3
constexpr bool is_unreserved(char c) noexcept {
    const char l = to_lower(c);
    return (l >= 'a' && l <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

constexpr int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    const char l = to_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::optional<uri_scheme> parse_scheme(std::string_view text) {
    const auto found = std::ranges::find_if(
        scheme_names, [text](std::string_view name) { return std::ranges::equal(text, name, {}, to_lower); });
    if (found == scheme_names.end()) return std::nullopt;
    return static_cast<uri_scheme>(found - scheme_names.begin());
}

/// RFC 3986, 3.2.3: any number of digits; none at all is as if the colon were not there.
result<std::optional<std::uint16_t>> parse_port(std::string_view text) {
    if (text.empty()) return std::optional<std::uint16_t>{};
    unsigned value = 0;
    for (const char c : text) {
        if (!is_digit(c)) return errc::invalid_text;
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (value > 0xffff) return errc::invalid_text;
    }
    if (value == 0) return errc::invalid_text;
    return std::optional(static_cast<std::uint16_t>(value));
}

/// "192.0.2.256" and "0x7f000001" are no addresses, but some resolvers make one of them; no top-level domain is a
/// number. True also for no name at all.
bool ends_in_number(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    const auto last = name.substr(name.rfind('.') + 1); // npos + 1 is 0
    if (last.starts_with("0x")) return std::ranges::all_of(last.substr(2), [](char c) { return hex_value(c) >= 0; });
    return std::ranges::all_of(last, is_digit);
}

/// A name or an IPv4 address.
result<std::string> parse_name(std::string_view text) {
    std::string name;
    name.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (text.size() - i < 3) return errc::invalid_text;
            const int high = hex_value(text[i + 1]);
            const int low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) return errc::invalid_text;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        // Decoded ones too: a NUL, a colon or a slash in a name would mean something else to whoever reads it next.
        if (!is_unreserved(c)) return errc::invalid_text;
        name.push_back(to_lower(c));
    }
    if (ends_in_number(name) && !transport_address::parse_ip(name)) return errc::invalid_text;
    return name;
}

} // namespace

result<uri> uri::parse(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == text.npos) return errc::invalid_text;
    const auto scheme = parse_scheme(text.substr(0, colon));
    if (!scheme) return errc::invalid_text;
    uri parsed;
    parsed.scheme = *scheme;
    text.remove_prefix(colon + 1);

    if (const auto question = text.find('?'); question != text.npos) {
        const auto given = text.substr(question + 1);
        const bool relays = *scheme == uri_scheme::turn || *scheme == uri_scheme::turns;
        if (!relays || !std::ranges::equal(given.substr(0, query.size()), query, {}, to_lower))
            return errc::invalid_text;
        parsed.transport = lower(given.substr(query.size()));
        if (parsed.transport.empty() || !std::ranges::all_of(parsed.transport, is_unreserved))
            return errc::invalid_text;
        text = text.substr(0, question);
    }

    // The colons of an IPv6 address are in brackets, and a name has none.
    const auto bracket = text.rfind(']');
    const auto port_colon = text.find(':', bracket == text.npos ? 0 : bracket);
    if (port_colon != text.npos) {
        const auto port = parse_port(text.substr(port_colon + 1));
        if (!port) return port.error();
        parsed.port = *port;
        text = text.substr(0, port_colon);
    }

    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
        const auto address = transport_address::parse_ip(text.substr(1, text.size() - 2));
        if (!address || address->is_ipv4()) return errc::invalid_text;
        parsed.host = address->ip_to_string();
        return parsed;
    }
    auto name = parse_name(text);
    if (!name) return name.error();
    parsed.host = *std::move(name);
    return parsed;
}

std::string uri::to_string() const {
    std::string text(scheme_names[static_cast<std::size_t>(scheme)]);
    const bool ipv6 = host.find(':') != host.npos;
    text += ipv6 ? ":[" : ":";
    text += host;
    if (ipv6) text += ']';
    if (port) text += ":" + std::to_string(*port);
    if (!transport.empty()) text += "?transport=" + transport;
    return text;
}

std::optional<transport_address> uri::address() const noexcept {
    const auto ip = transport_address::parse_ip(host);
    if (!ip) return std::nullopt;
    return ip->with_port(port_or_default());
}

} // namespace turn
