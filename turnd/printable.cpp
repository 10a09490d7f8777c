#include "printable.hpp"

#include <cstdint>

#include <fmt/format.h>

namespace turnd {
namespace {

struct code_point {
    std::uint32_t value = 0;
    std::size_t size = 0; ///< bytes; 0: not UTF-8
};

/// The code point at the front of `text`, which is not empty.
code_point first_of(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
    std::uint32_t value = lead & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {};
        value = value << 6 | (byte(i) & 0x3FU);
    }
    const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    if (overlong || surrogate || value > 0x10FFFF) return {};
    return {value, size};
}

bool is_control(std::uint32_t c) noexcept {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

/// What would break a line or turn its reading order around.
bool misleads(std::uint32_t c) noexcept {
    return c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

} // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const code_point c = first_of(text);
        if (c.size == 0) return false;
        text.remove_prefix(c.size);
    }
    return true;
}

bool has_control_characters(std::string_view text) noexcept {
    while (!text.empty()) {
        const code_point c = first_of(text);
        if (c.size != 0 && is_control(c.value)) return true;
        text.remove_prefix(c.size == 0 ? 1 : c.size);
    }
    return false;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
    std::string shown;
    std::size_t taken = 0;
    while (!text.empty()) {
        const code_point c = first_of(text);
        const std::size_t size = c.size == 0 ? 1 : c.size;
        if (taken + size > max_bytes) return shown + "...";
        if (c.size == 0 || is_control(c.value) || misleads(c.value)) {
            for (std::size_t i = 0; i < size; ++i)
                fmt::format_to(std::back_inserter(shown), "\\x{:02x}", static_cast<std::uint8_t>(text[i]));
        } else if (c.value == '\\') {
            shown += "\\\\";
        } else {
            shown += text.substr(0, size);
        }
        taken += size;
        text.remove_prefix(size);
    }
    return shown;
}

} // namespace turnd
