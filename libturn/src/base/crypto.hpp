#pragma once
/// The few primitives this project takes from OpenSSL. crypto.cpp is the only file in the core that includes it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace turn::crypto {

using bytes = std::span<const std::byte>;

/// Fills `out` from the CSPRNG. Aborts the process when the CSPRNG is broken: nothing safe could follow.
void random(std::span<std::byte> out) noexcept;
std::uint64_t random64() noexcept; ///< from a per-thread buffer that is refilled in blocks

std::array<std::byte, 16> md5(bytes) noexcept;
std::array<std::byte, 32> sha256(bytes) noexcept;

/// HMAC over the concatenation of `parts`, so callers need not copy to patch a header. Each thread keeps the states of
/// the latest keys of up to 32 bytes: with one of them a message costs about half.
std::array<std::byte, 20> hmac_sha1(bytes key, std::span<const bytes> parts) noexcept;
std::array<std::byte, 32> hmac_sha256(bytes key, std::span<const bytes> parts) noexcept;
/// HMACs computed by this thread so far: a test counts that refusals cost the same.
std::uint64_t hmac_count() noexcept;

/// Constant time; false when sizes differ.
bool equal(bytes a, bytes b) noexcept;

/// CRC-32 of ISO 3309 / ITU-T V.42, as FINGERPRINT uses it.
std::uint32_t crc32(bytes) noexcept;

} // namespace turn::crypto
