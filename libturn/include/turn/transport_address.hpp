#pragma once
/// IP address and port as one value: RFC 8489, 4 ("transport address").

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "turn/result.hpp"

namespace turn {

enum class address_family : std::uint8_t { ipv4 = 0x01, ipv6 = 0x02 }; ///< RFC 8489, 14.1

/// "Transport address: the combination of an IP address and a port" (RFC 8489, 4).
/// A 20-byte value: copy it, compare it, use it as a key. No sockaddr leaves net/.
struct transport_address {
    std::array<std::uint8_t, 16> ip{}; ///< network order; an IPv4 address uses the first four bytes, the rest are zero
    std::uint16_t port = 0;            ///< host order
    address_family family = address_family::ipv4;

    /// On the path of every packet: two compares of words, where the defaulted one may call memcmp.
    friend constexpr bool operator==(const transport_address& a, const transport_address& b) noexcept {
        return a.same_ip(b) && a.port == b.port;
    }

    /// "192.0.2.1:3478" or "[2001:db8::1]:3478". Errors: invalid_text.
    static result<transport_address> parse(std::string_view text) noexcept;
    /// "192.0.2.1" or "2001:db8::1" (no brackets); the port is 0. Errors: invalid_text.
    static result<transport_address> parse_ip(std::string_view text) noexcept;

    /// "192.0.2.1:3478" or "[2001:db8::1]:3478", RFC 5952 spelling.
    [[nodiscard]] std::string to_string() const;
    /// The address without its port and without brackets.
    [[nodiscard]] std::string ip_to_string() const;

    [[nodiscard]] constexpr bool same_ip(const transport_address& other) const noexcept {
        using words = std::array<std::uint64_t, 2>;
        const auto mine = std::bit_cast<words>(ip), theirs = std::bit_cast<words>(other.ip);
        return ((mine[0] ^ theirs[0]) | (mine[1] ^ theirs[1])) == 0 && family == other.family;
    }
    [[nodiscard]] transport_address with_port(std::uint16_t other_port) const noexcept {
        transport_address a = *this;
        a.port = other_port;
        return a;
    }
    /// 0.0.0.0 or ::
    [[nodiscard]] bool is_unspecified() const noexcept { return ip == std::array<std::uint8_t, 16>{}; }
    /// 127.0.0.0/8 or ::1
    [[nodiscard]] bool is_loopback() const noexcept {
        if (is_ipv4()) return ip[0] == 127;
        return ip == std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    }
    [[nodiscard]] bool is_ipv4() const noexcept { return family == address_family::ipv4; }
};

/// A network prefix such as 172.16.0.0/12. The bits behind the prefix are zero.
struct address_prefix {
    transport_address network{}; ///< port 0
    std::uint8_t length = 0;     ///< 0…32 or 0…128

    friend bool operator==(const address_prefix&, const address_prefix&) = default;

    /// "10.0.0.0/8", "2001:db8::/32" or a single address. Errors: invalid_text (also when bits are set behind the
    /// prefix).
    static result<address_prefix> parse(std::string_view text) noexcept;
    [[nodiscard]] std::string to_string() const;
    /// Whether `address` lies inside; the port does not matter; other families never match.
    [[nodiscard]] bool contains(const transport_address& address) const noexcept;
};

} // namespace turn
