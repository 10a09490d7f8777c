#include "turn/transport_address.hpp"

#include <algorithm>
#include <optional>

// Text conversion only; no socket is touched here.
#include <arpa/inet.h>

namespace turn {

namespace {

/// Decimal digits without sign, blank or leading zero, at most `max`.
std::optional<unsigned> parse_number(std::string_view text, unsigned max) noexcept {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    unsigned value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    if (value > max) return std::nullopt;
    return value;
}

constexpr unsigned address_bits(address_family family) noexcept {
    return family == address_family::ipv4 ? 32 : 128;
}

/// The bits of byte `index` that lie inside a prefix of `length` bits.
constexpr std::uint8_t mask_of_byte(std::size_t index, std::size_t length) noexcept {
    const std::size_t first_bit = index * 8;
    if (length >= first_bit + 8) return 0xff;
    if (length <= first_bit) return 0;
    return static_cast<std::uint8_t>(0xff << (8 - (length - first_bit)));
}

} // namespace

result<transport_address> transport_address::parse_ip(std::string_view text) noexcept {
    // inet_pton wants a terminated string, refuses zone ids and leading zeros, and never asks a resolver.
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size() || text.find('\0') != text.npos) return errc::invalid_text;
    std::copy(text.begin(), text.end(), terminated.begin());

    transport_address a;
    a.family = text.find(':') == text.npos ? address_family::ipv4 : address_family::ipv6;
    if (::inet_pton(a.is_ipv4() ? AF_INET : AF_INET6, terminated.data(), a.ip.data()) != 1) return errc::invalid_text;
    return a;
}

result<transport_address> transport_address::parse(std::string_view text) noexcept {
    const auto colon = text.rfind(':');
    if (colon == text.npos) return errc::invalid_text;
    const auto port = parse_number(text.substr(colon + 1), 0xffff);
    if (!port) return errc::invalid_text;

    std::string_view ip = text.substr(0, colon);
    const bool bracketed = ip.size() >= 2 && ip.front() == '[' && ip.back() == ']';
    if (bracketed) ip = ip.substr(1, ip.size() - 2);
    auto address = parse_ip(ip);
    // Without brackets the last group of an IPv6 address could be taken for a port.
    if (!address || address->is_ipv4() == bracketed) return errc::invalid_text;
    return address->with_port(static_cast<std::uint16_t>(*port));
}

std::string transport_address::ip_to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(is_ipv4() ? AF_INET : AF_INET6, ip.data(), text.data(), static_cast<socklen_t>(text.size()));
    return text.data();
}

std::string transport_address::to_string() const {
    std::string text = ip_to_string();
    if (!is_ipv4()) text = "[" + text + "]";
    return text + ":" + std::to_string(port);
}

result<address_prefix> address_prefix::parse(std::string_view text) noexcept {
    const auto slash = text.find('/');
    const auto network = transport_address::parse_ip(text.substr(0, slash));
    if (!network) return errc::invalid_text;

    address_prefix p;
    p.network = *network;
    const unsigned bits = address_bits(network->family);
    const auto length = slash == text.npos ? std::optional(bits) : parse_number(text.substr(slash + 1), bits);
    if (!length) return errc::invalid_text;
    p.length = static_cast<std::uint8_t>(*length);

    for (std::size_t i = 0; i < p.network.ip.size(); ++i)
        if ((p.network.ip[i] & ~mask_of_byte(i, p.length)) != 0) return errc::invalid_text;
    return p;
}

std::string address_prefix::to_string() const {
    return network.ip_to_string() + "/" + std::to_string(length);
}

bool address_prefix::contains(const transport_address& address) const noexcept {
    if (address.family != network.family) return false;
    for (std::size_t i = 0; i * 8 < length; ++i)
        if ((address.ip[i] & mask_of_byte(i, length)) != network.ip[i]) return false;
    return true;
}

} // namespace turn
