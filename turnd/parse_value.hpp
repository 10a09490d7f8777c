#pragma once
/// The texts that configuration values are written in: numbers, durations, port ranges, addresses, users.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "problem.hpp"
#include "settings.hpp"
#include "turn/server.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

/// A whole number in decimal digits between `min` and `max`.
parsed<std::uint64_t> parse_number(std::string_view text, std::uint64_t min, std::uint64_t max);

/// "true" or "false".
parsed<bool> parse_switch(std::string_view text);

/// A whole number and its unit, s, m, h or d: "90s", "10m", "1h".
parsed<std::chrono::seconds> parse_duration(std::string_view text, std::chrono::seconds min, std::chrono::seconds max);

/// The same, or in milliseconds: "500ms".
parsed<std::chrono::milliseconds> parse_short_duration(std::string_view text, std::chrono::milliseconds min,
                                                       std::chrono::milliseconds max);

/// Bits per second, bare or in thousands, millions or thousand millions: "64000", "64k", "10M", "1G". From 1k to 100G,
/// or 0: no limit.
parsed<std::uint64_t> parse_bandwidth(std::string_view text);

/// "MIN-MAX", both included, from 1 to 65535.
parsed<std::pair<std::uint16_t, std::uint16_t>> parse_port_range(std::string_view text);

/// "192.0.2.1:3478" or "[2001:db8::1]:3478"; port 0 lets the system choose. Names are not looked up.
parsed<turn::transport_address> parse_listen_address(std::string_view text);

/// "ADDR" or "ADDR=ADVERTISED", both of one family, without ports.
parsed<turn::relay_address> parse_relay_address(std::string_view text);

/// Where a unix socket is to be, or "" for nowhere: at most 107 bytes, no control characters.
parsed<std::string> parse_socket_path(std::string_view text);

/// "10.0.0.0/8" or a single address.
parsed<turn::address_prefix> parse_prefix(std::string_view text);

/// "NAME:PASSWORD", divided at the first colon, so a password may hold colons and a name may not. The name comes back
/// as OpaqueString (RFC 8265, 4.2); no complaint quotes the text.
parsed<user_setting> parse_user(std::string_view text);

/// A user's name alone, RFC 8489, 14.3: at most 508 bytes. Comes back as OpaqueString.
parsed<std::string> parse_user_name(std::string_view text);

/// What is wrong with a password, which is not quoted; nothing when it is acceptable.
std::optional<complaint> check_password(std::string_view password);

/// A realm, RFC 8489, 14.9: at most 127 characters, acceptable as OpaqueString. Comes back as it is to be sent.
parsed<std::string> parse_realm(std::string_view text);

} // namespace turnd
