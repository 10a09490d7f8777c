#pragma once
/// Network order read and written a byte at a time: no alignment, no aliasing, no struct laid over a packet.

#include <cstddef>
#include <cstdint>
#include <span>

namespace turn {

/// Precondition: offset + 2 ≤ from.size().
constexpr std::uint16_t load_u16(std::span<const std::byte> from, std::size_t offset) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[offset]) << 8 |
                                      std::to_integer<unsigned>(from[offset + 1]));
}

/// Precondition: offset + 4 ≤ from.size().
constexpr std::uint32_t load_u32(std::span<const std::byte> from, std::size_t offset) noexcept {
    return std::uint32_t{load_u16(from, offset)} << 16 | load_u16(from, offset + 2);
}

/// Precondition: offset + 2 ≤ to.size().
constexpr void store_u16(std::span<std::byte> to, std::size_t offset, std::uint16_t value) noexcept {
    to[offset] = static_cast<std::byte>(value >> 8);
    to[offset + 1] = static_cast<std::byte>(value & 0xff);
}

/// Precondition: offset + 4 ≤ to.size().
constexpr void store_u32(std::span<std::byte> to, std::size_t offset, std::uint32_t value) noexcept {
    store_u16(to, offset, static_cast<std::uint16_t>(value >> 16));
    store_u16(to, offset + 2, static_cast<std::uint16_t>(value & 0xffff));
}

} // namespace turn
