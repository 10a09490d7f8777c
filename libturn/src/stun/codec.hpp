#pragma once
/// What the attribute codecs share; private to attributes.cpp and turn_attributes.cpp.

#include <algorithm>
#include <string_view>

#include "base/byte_order.hpp"
#include "turn/stun/attributes.hpp"

namespace turn::stun::codec {

inline std::string_view as_text(bytes value) noexcept {
    return {reinterpret_cast<const char*>(value.data()), value.size()}; // char may alias anything
}

inline bytes as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span(text));
}

/// The value is a copy of `value`.
inline result<std::size_t> put(bytes value, std::span<std::byte> out) noexcept {
    if (out.size() < value.size()) return errc::no_capacity;
    std::copy(value.begin(), value.end(), out.begin());
    return value.size();
}

/// The value is these four bytes.
inline result<std::size_t> put_u32(std::uint32_t value, std::span<std::byte> out) noexcept {
    if (out.size() < 4) return errc::no_capacity;
    store_u32(out, 0, value);
    return 4;
}

inline bool is_family(std::byte b) noexcept {
    return b == std::byte{1} || b == std::byte{2};
}

// "As long as 763 bytes when decoding": RFC 8489, 14.8. A phrase of ours is far shorter.
inline constexpr std::size_t longest_phrase = 763;

/// The word and phrase that ERROR-CODE and ADDRESS-ERROR-CODE share (RFC 8489, 14.8; RFC 8656, 18.12).
struct coded_phrase {
    std::uint16_t code = 0;
    std::string_view phrase{};
};
result<coded_phrase> decode_coded_phrase(bytes value) noexcept;
/// `first` becomes the byte in front: a family, or zero.
result<std::size_t> encode_coded_phrase(std::byte first, coded_phrase, std::span<std::byte> out) noexcept;

} // namespace turn::stun::codec
