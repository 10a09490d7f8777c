#pragma once
/// Waiting for signals, with signs of life meanwhile.

#include <chrono>
#include <optional>

#include "daemon.hpp"

namespace turnd {

class patience {
public:
    /// `world` outlives it.
    explicit patience(const serving& world) : world_(world), next_beat_(world.now()) {}

    /// Nothing: none came within `timeout`. Without one it waits for ever.
    std::optional<signal_kind> next_signal(std::optional<std::chrono::milliseconds> timeout = {});

private:
    using time_point = std::chrono::steady_clock::time_point;

    void beat();
    [[nodiscard]] std::optional<std::chrono::milliseconds> until(time_point end) const;

    const serving& world_;
    time_point next_beat_;
};

} // namespace turnd
