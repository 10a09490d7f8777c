#include <algorithm>
#include <vector>

#include <utf8proc.h>

#include "turn/stun/credentials.hpp"

/// The OpaqueString profile of RFC 8265, 4.2 over the FreeformClass of RFC 8264, 4.3 and 9.
///
/// Categories, default-ignorables, Hangul jamo and NFC come from utf8proc, exceptions and contextual rules from the
/// tables below. What utf8proc does not know is decided on the safe side, by refusing: the joining-type half of the
/// ZERO WIDTH NON-JOINER rule (RFC 5892, A.1); it passes behind a virama only. Scripts in the contextual rules are
/// taken by their blocks.
namespace turn::stun {

namespace {

using code_point = utf8proc_int32_t;
using text32 = std::vector<code_point>;

struct range {
    code_point first;
    code_point last;
};

template <std::size_t N>
bool in(const range (&ranges)[N], code_point c) noexcept {
    return std::any_of(std::begin(ranges), std::end(ranges), [c](range r) { return r.first <= c && c <= r.last; });
}

constexpr range exceptions_disallowed[] = {
    {0x0640, 0x0640}, {0x07fa, 0x07fa}, {0x302e, 0x302f}, {0x3031, 0x3035}, {0x303b, 0x303b}};
constexpr range arabic_indic_digits[] = {{0x0660, 0x0669}};
constexpr range extended_arabic_indic_digits[] = {{0x06f0, 0x06f9}};
constexpr range greek[] = {{0x0370, 0x03ff}, {0x1f00, 0x1fff}};
constexpr range hebrew[] = {{0x0591, 0x05f4}, {0xfb1d, 0xfb4f}};
constexpr range kana_and_han[] = {{0x3005, 0x3007}, {0x3021, 0x3029},   {0x3038, 0x303a},   {0x3041, 0x3096},
                                  {0x309d, 0x309f}, {0x30a1, 0x30fa},   {0x30fd, 0x30ff},   {0x31f0, 0x31ff},
                                  {0x3400, 0x4dbf}, {0x4e00, 0x9fff},   {0xf900, 0xfad9},   {0xff66, 0xff6f},
                                  {0xff71, 0xff9d}, {0x1b000, 0x1b167}, {0x20000, 0x2fa1d}, {0x30000, 0x3134a}};

template <std::size_t N>
bool any_in(const range (&ranges)[N], const text32& text) noexcept {
    return std::any_of(text.begin(), text.end(), [&](code_point c) { return in(ranges, c); });
}

/// RFC 5892, appendix A: code points that only mean something next to others.
bool allowed_in_context(const text32& text, std::size_t i) noexcept {
    const code_point before = i > 0 ? text[i - 1] : 0;
    const code_point after = i + 1 < text.size() ? text[i + 1] : 0;
    const code_point c = text[i];
    switch (c) {
    case 0x200c:                                                             // ZERO WIDTH NON-JOINER
    case 0x200d:                                                             // ZERO WIDTH JOINER
        return i > 0 && utf8proc_get_property(before)->combining_class == 9; // Virama
    case 0x00b7:
        return before == 'l' && after == 'l'; // MIDDLE DOT, as in Catalan
    case 0x0375:
        return in(greek, after); // GREEK LOWER NUMERAL SIGN
    case 0x05f3:                 // HEBREW PUNCTUATION GERESH
    case 0x05f4:
        return in(hebrew, before); // HEBREW PUNCTUATION GERSHAYIM
    case 0x30fb:
        return any_in(kana_and_han, text); // KATAKANA MIDDLE DOT
    default:
        break;
    }
    if (in(arabic_indic_digits, c)) return !any_in(extended_arabic_indic_digits, text);
    return !any_in(arabic_indic_digits, text); // extended Arabic-Indic digits
}

bool needs_context(code_point c) noexcept {
    switch (c) {
    case 0x00b7:
    case 0x0375:
    case 0x05f3:
    case 0x05f4:
    case 0x200c:
    case 0x200d:
    case 0x30fb:
        return true;
    default:
        return in(arabic_indic_digits, c) || in(extended_arabic_indic_digits, c);
    }
}

/// Letters, digits, marks, symbols, punctuation and spaces; no private use, separators or formatting characters.
bool allowed_category(utf8proc_propval_t category) noexcept {
    switch (category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CN: // noncharacters too
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

/// The steps of RFC 8264, 8, in their order.
bool in_freeform_class(const text32& text, std::size_t i) noexcept {
    const code_point c = text[i];
    if (in(exceptions_disallowed, c)) return false;
    if (needs_context(c)) return allowed_in_context(text, i);
    const auto* property = utf8proc_get_property(c);
    const bool old_hangul_jamo = property->boundclass == UTF8PROC_BOUNDCLASS_L ||
                                 property->boundclass == UTF8PROC_BOUNDCLASS_V ||
                                 property->boundclass == UTF8PROC_BOUNDCLASS_T;
    return !old_hangul_jamo && !property->ignorable &&
           allowed_category(static_cast<utf8proc_propval_t>(property->category));
}

code_point space_to_ascii(code_point c, void*) noexcept {
    return utf8proc_get_property(c)->category == UTF8PROC_CATEGORY_ZS ? U' ' : c;
}

/// Spaces mapped, then NFC; empty when the text is no UTF-8.
text32 normalized(std::string_view text) {
    constexpr auto nfc = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    const auto* bytes_in = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const auto size_in = static_cast<utf8proc_ssize_t>(text.size());

    const auto wanted = utf8proc_decompose_custom(bytes_in, size_in, nullptr, 0, nfc, space_to_ascii, nullptr);
    if (wanted <= 0) return {};
    text32 out(static_cast<std::size_t>(wanted));
    const auto decomposed =
        utf8proc_decompose_custom(bytes_in, size_in, out.data(), wanted, nfc, space_to_ascii, nullptr);
    if (decomposed != wanted) return {};
    const auto composed = utf8proc_normalize_utf32(out.data(), decomposed, nfc);
    if (composed < 0) return {};
    out.resize(static_cast<std::size_t>(composed));
    return out;
}

} // namespace

result<std::string> opaque_string(std::string_view text) {
    if (text.empty()) return errc::invalid_text;
    const auto printable_ascii = [](char c) { return c >= 0x20 && c <= 0x7e; };
    if (std::all_of(text.begin(), text.end(), printable_ascii)) return std::string(text);

    const text32 code_points = normalized(text);
    if (code_points.empty()) return errc::invalid_text;
    std::string out;
    for (std::size_t i = 0; i < code_points.size(); ++i) {
        if (!in_freeform_class(code_points, i)) return errc::invalid_text;
        utf8proc_uint8_t encoded[4];
        const auto size = utf8proc_encode_char(code_points[i], encoded);
        out.append(encoded, encoded + size);
    }
    return out;
}

} // namespace turn::stun
