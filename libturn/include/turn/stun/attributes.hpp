#pragma once
/// STUN and TURN attributes, one type each: RFC 8489, 14 and RFC 8656, 18.
/// `decode` refuses any length or content its section does not allow (bad_attribute); reserved bits are ignored
/// on reception and zero on transmission. Text and byte values borrow from the message.
/// `encode` says no_capacity when `out` is too small and bad_attribute for a value the attribute cannot hold.

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <variant>

#include "turn/stun/message.hpp"
#include "turn/stun/password_algorithm.hpp"

namespace turn::stun {

/// An address in clear: RFC 8489, 14.1.
template <std::uint16_t Type>
struct address_attribute {
    using value_type = transport_address;
    static constexpr std::uint16_t type = Type;
    static result<value_type> decode(bytes value, const transaction_id& id) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// An address XORed with cookie and transaction id: RFC 8489, 14.2.
template <std::uint16_t Type>
struct xor_address_attribute {
    using value_type = transport_address;
    static constexpr std::uint16_t type = Type;
    static result<value_type> decode(bytes value, const transaction_id& id) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id& id, std::span<std::byte> out) noexcept;
};

/// Text of at most MaxBytes; UTF-8 is not checked here (credentials are compared as bytes).
template <std::uint16_t Type, std::size_t MaxBytes>
struct text_attribute {
    using value_type = std::string_view;
    static constexpr std::uint16_t type = Type;
    static constexpr std::size_t max_bytes = MaxBytes;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// Exactly Size bytes.
template <std::uint16_t Type, std::size_t Size>
struct bytes_attribute {
    using value_type = std::array<std::byte, Size>;
    static constexpr std::uint16_t type = Type;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// An address family in the first of four bytes: RFC 8656, 18.6. Any value comes through, also one that no
/// enumerator names: what a family we do not know is answered with depends on the method (440, 443 or 400).
template <std::uint16_t Type>
struct family_attribute {
    using value_type = address_family;
    static constexpr std::uint16_t type = Type;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

// RFC 8489, 14. Limits in bytes are the section's "as long as … when decoding".
using mapped_address = address_attribute<0x0001>;         // 14.1
using xor_mapped_address = xor_address_attribute<0x0020>; // 14.2
using username = text_attribute<0x0006, 763>;             // 14.3 (encoding: at most 508)
using userhash = bytes_attribute<0x001e, 32>;             // 14.4
using message_integrity = bytes_attribute<0x0008, 20>;    // 14.5; written by message_builder::integrity
using realm = text_attribute<0x0014, 763>;                // 14.9
using nonce = text_attribute<0x0015, 763>;                // 14.10
using software = text_attribute<0x8022, 763>;             // 14.14
using alternate_server = address_attribute<0x8023>;       // 14.15
using alternate_domain = text_attribute<0x8003, 255>;     // 14.16

/// RFC 8489, 14.6: 16 to 32 bytes, a multiple of four. Written by message_builder::integrity_sha256.
struct message_integrity_sha256 {
    using value_type = bytes;
    static constexpr std::uint16_t type = 0x001c;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8489, 14.7. Written by message_builder::fingerprint.
struct fingerprint {
    using value_type = std::uint32_t;
    static constexpr std::uint16_t type = 0x8028;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8489, 14.8. Codes 300 to 699; a phrase of at most 763 bytes, without its padding.
struct error_code {
    struct value_type {
        std::uint16_t code = 0;
        std::string_view phrase{};
    };
    static constexpr std::uint16_t type = 0x0009;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8489, 14.13. Holds the first 16; `count` says how many of them are used.
struct unknown_attributes {
    struct value_type {
        std::array<std::uint16_t, 16> types{};
        std::size_t count = 0;
    };
    static constexpr std::uint16_t type = 0x000a;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8489, 14.12.
struct password_algorithm {
    struct value_type {
        password_algorithm_number number{};
        bytes parameters{};
    };
    static constexpr std::uint16_t type = 0x001d;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8489, 14.11. Holds the first 4 of the list; longer lists are bad_attribute.
struct password_algorithms {
    struct value_type {
        std::array<password_algorithm::value_type, 4> list{};
        std::size_t count = 0;
    };
    static constexpr std::uint16_t type = 0x8002;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

// RFC 8656, 18.
using xor_peer_address = xor_address_attribute<0x0012>;     // 18.3
using xor_relayed_address = xor_address_attribute<0x0016>;  // 18.5
using requested_address_family = family_attribute<0x0017>;  // 18.6
using reservation_token = bytes_attribute<0x0022, 8>;       // 18.10
using additional_address_family = family_attribute<0x8000>; // 18.11

/// RFC 8656, 18.1. Exactly four bytes; the range is the handler's business.
struct channel_number {
    using value_type = std::uint16_t;
    static constexpr std::uint16_t type = 0x000c;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.2. 32 bits of seconds on the wire; a longer or negative duration is bad_attribute.
struct lifetime {
    using value_type = std::chrono::seconds;
    static constexpr std::uint16_t type = 0x000d;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.4. Any length, zero included.
struct data {
    using value_type = bytes;
    static constexpr std::uint16_t type = 0x0013;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.7. The R bit: reserve the next higher port.
struct even_port {
    struct value_type {
        bool reserve_next = false;
    };
    static constexpr std::uint16_t type = 0x0018;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.8. An IP protocol number.
struct requested_transport {
    using value_type = std::uint8_t;
    static constexpr std::uint16_t type = 0x0019;
    static constexpr value_type udp = 17;
    static constexpr value_type tcp = 6; ///< RFC 6062, 4.1
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.9. No value.
struct dont_fragment {
    using value_type = std::monostate;
    static constexpr std::uint16_t type = 0x001a;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.12.
struct address_error_code {
    struct value_type {
        address_family family{};
        std::uint16_t code = 0;
        std::string_view phrase{};
    };
    static constexpr std::uint16_t type = 0x8001;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 8656, 18.13.
struct icmp {
    struct value_type {
        std::uint8_t type = 0;
        std::uint8_t code = 0;
        std::uint32_t error_data = 0;
    };
    static constexpr std::uint16_t type = 0x8004;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

/// RFC 6062, 6.2.1. Exactly four bytes.
struct connection_id {
    using value_type = turn::connection_id;
    static constexpr std::uint16_t type = 0x002a;
    static result<value_type> decode(bytes value, const transaction_id&) noexcept;
    static result<std::size_t> encode(const value_type&, const transaction_id&, std::span<std::byte> out) noexcept;
};

} // namespace turn::stun
