#pragma once
/// Bytes as the RFCs print them: hexadecimal, blanks ignored.

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace turn::test {

/// Anything but digit pairs and white space is a mistake of the test: throws.
inline std::vector<std::byte> from_hex(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::vector<std::byte> out;
    int high = -1;
    for (const char c : text) {
        if (c == ' ' || c == '\n') continue;
        const auto digit = digits.find(c);
        if (digit == digits.npos) throw std::invalid_argument("not hexadecimal");
        const int value = static_cast<int>(digit);
        if (high >= 0) out.push_back(static_cast<std::byte>(high << 4 | value));
        high = high >= 0 ? -1 : value;
    }
    if (high >= 0) throw std::invalid_argument("half a byte");
    return out;
}

/// "0a ff 00": pairs with a blank between.
inline std::string to_hex(std::span<const std::byte> data) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const std::byte b : data) {
        if (!out.empty()) out += ' ';
        out += digits[std::to_integer<unsigned>(b) >> 4];
        out += digits[std::to_integer<unsigned>(b) & 15];
    }
    return out;
}

} // namespace turn::test
