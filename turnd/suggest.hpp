#pragma once
/// "Did you mean": the known word nearest to a mistyped one.

#include <cstddef>
#include <span>
#include <string_view>

namespace turnd {

/// How many insertions, deletions, replacements and swaps of neighbours make `a` into `b` (optimal string alignment).
/// Only the first 64 bytes of either count.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known`, or an empty view when even that has little in common with `word`.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

} // namespace turnd
