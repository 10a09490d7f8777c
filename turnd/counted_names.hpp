#pragma once
/// What counters are called wherever they are shown, in kebab-case: a contract with whoever reads them.

#include <array>
#include <cstddef>
#include <string_view>

#include "turn/counters.hpp"

namespace turnd::counted {

inline constexpr std::array<std::string_view, turn::direction_count> directions{"up", "down", "control"};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(turn::request_method::count_)> methods{
    "binding", "allocate", "refresh", "create-permission", "channel-bind", "connect", "connection-bind"};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(turn::request_result::count_)> results{
    "success", "challenged", "refused"};

} // namespace turnd::counted
