#pragma once
/// What MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT are computed over: RFC 8489, 14.5 to 14.7.
/// The view checks and the builder writes with the same functions.

#include <array>
#include <cstddef>
#include <cstdint>

#include "turn/packet.hpp"
#include "turn/stun/credentials.hpp"

namespace turn::stun {

inline constexpr std::size_t attribute_header_size = 4;

/// `before`: the message up to the integrity attribute; `end`: the size the message has when that attribute is its
/// last, which is what the length field says while the HMAC is computed, whatever follows later.
std::array<std::byte, 20> integrity_sha1(bytes before, std::size_t end, const credential_key& key) noexcept;
std::array<std::byte, 32> integrity_sha256(bytes before, std::size_t end, const credential_key& key) noexcept;

/// `before`: the message up to FINGERPRINT, its length field already counting FINGERPRINT.
std::uint32_t fingerprint_of(bytes before) noexcept;

} // namespace turn::stun
