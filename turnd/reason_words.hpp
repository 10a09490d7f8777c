#pragma once
/// Reasons in an operator's language: what each means and what to do. docs/operating.md has the same table, and a test
/// compares the two.

#include <cstdint>
#include <string_view>

#include "turn/reason.hpp"
#include "turn/verdict.hpp"

namespace turnd {

enum class weight : std::uint8_t {
    none,     ///< how TURN works: nobody need hear of it
    everyday, ///< happens in calls that succeed; an answer only when there is no better one
    problem,  ///< somebody could not do what he came for
};

/// On one line each, without a full stop. Option names are those of the file: "limits.allocations-per-user".
struct reason_words {
    std::string_view meaning{};
    std::string_view remedy{};
    weight how_bad{};
};

reason_words words_of(turn::reason) noexcept;
/// What makes a whole relay worthless weighs more than the same reason for one packet or request.
reason_words words_of(turn::verdict) noexcept;

} // namespace turnd
