#include "patience.hpp"

#include <algorithm>

namespace turnd {

std::optional<signal_kind> patience::next_signal(std::optional<std::chrono::milliseconds> timeout) {
    auto end = time_point::max();
    if (timeout) end = world_.now() + *timeout;
    for (;;) {
        beat();
        if (const auto signal = world_.next_signal(until(end))) return signal;
        if (world_.now() >= end) return {};
    }
}

void patience::beat() {
    if (!world_.watchdog_interval || world_.now() < next_beat_) return;
    world_.watchdog();
    next_beat_ = world_.now() + *world_.watchdog_interval;
}

std::optional<std::chrono::milliseconds> patience::until(time_point end) const {
    if (world_.watchdog_interval) end = std::min(end, next_beat_);
    if (end == time_point::max()) return {};
    return std::max(std::chrono::milliseconds{0}, std::chrono::ceil<std::chrono::milliseconds>(end - world_.now()));
}

} // namespace turnd
