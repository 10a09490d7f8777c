#pragma once
/// Base64 as in RFC 4648, 4.

#include <cstddef>
#include <span>
#include <string_view>

namespace turn {

constexpr std::size_t base64_size(std::size_t bytes) noexcept {
    return (bytes + 2) / 3 * 4;
}

/// Fills `out`, padding included. Precondition: out.size() == base64_size(data.size()).
void base64_encode(std::span<const std::byte> data, std::span<char> out) noexcept;

/// Fills `out` from text without padding; false when a character is not of the alphabet or the sizes differ, so that
/// one value has one spelling only. Precondition: out.size() is a multiple of three.
[[nodiscard]] bool base64_decode(std::string_view text, std::span<std::byte> out) noexcept;

} // namespace turn
