#pragma once
/// Text that came from outside, made safe to print: user names, configuration values, addresses in URLs.

#include <string>
#include <string_view>

namespace turnd {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text) noexcept;

/// Whether `text` holds a control character (C0, DEL or C1).
bool has_control_characters(std::string_view text) noexcept;

/// `text` on one line that a terminal and a log reader take literally: control characters, line separators, bidi
/// overrides and bytes that are no UTF-8 become \xNN (one per byte), a backslash becomes two. At most `max_bytes` of
/// input are shown, then "...".
std::string printable(std::string_view text, std::size_t max_bytes = 600);

} // namespace turnd
