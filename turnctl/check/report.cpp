#include "turnctl/check/report.hpp"

#include <algorithm>
#include <array>

namespace turnctl::check {

std::string_view name(step s) noexcept {
    constexpr std::array<std::string_view, step_count> names{"resolve",    "connect", "binding", "allocate",
                                                             "permission", "channel", "echo",    "end"};
    return names[static_cast<std::size_t>(s)];
}

severity report::weight() const noexcept {
    severity gravest = severity::note;
    for (const finding& f : findings) gravest = std::max(gravest, f.weight);
    return gravest;
}

std::string_view report::verdict() const noexcept {
    const severity gravest = weight();
    if (gravest == severity::note) return "ok";
    return std::ranges::find(findings, gravest, &finding::weight)->code;
}

} // namespace turnctl::check
