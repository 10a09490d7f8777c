#pragma once
/// The one function behind every verdict.

#include "relay/allocation_books.hpp"
#include "turn/observer.hpp"

namespace turn {

/// From what was relayed (usage::verdict is not read) and what was not.
verdict judge_allocation(const usage&, const allocation_books&) noexcept;

} // namespace turn
