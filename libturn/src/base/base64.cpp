#include "base/base64.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>

namespace turn {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto value_of_character = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(0xff);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
}();

} // namespace

void base64_encode(std::span<const std::byte> data, std::span<char> out) noexcept {
    assert(out.size() == base64_size(data.size()));
    std::size_t written = 0;
    for (std::size_t i = 0; i < data.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, data.size() - i);
        unsigned bits = 0;
        for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < count ? std::to_integer<unsigned>(data[i + j]) : 0);
        for (std::size_t j = 0; j < 4; ++j) out[written++] = j <= count ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
}

bool base64_decode(std::string_view text, std::span<std::byte> out) noexcept {
    assert(out.size() % 3 == 0);
    if (text.size() != base64_size(out.size())) return false;
    for (std::size_t i = 0, o = 0; i < text.size(); i += 4) {
        unsigned bits = 0;
        for (const char c : text.substr(i, 4)) {
            const unsigned value = value_of_character[static_cast<unsigned char>(c)];
            if (value > 63) return false;
            bits = bits << 6 | value;
        }
        for (const unsigned shift : {16U, 8U, 0U}) out[o++] = static_cast<std::byte>(bits >> shift & 0xff);
    }
    return true;
}

} // namespace turn
