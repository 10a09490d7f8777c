#pragma once
/// CPU time of a process over a window, from the kernel's own accounting.

#include <chrono>
#include <optional>

#include <sys/types.h>
#include <time.h>

#include "turn/packet.hpp"

namespace turn::bench {

/// User and system time of all threads the process has and had, in nanoseconds. Its clock, not /proc: that is only as
/// new as the last scheduler tick of a running thread. Nothing when there is no such process.
inline std::optional<std::chrono::nanoseconds> cpu_time_of(pid_t pid) noexcept {
    clockid_t clock{};
    timespec t{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &t) != 0) return std::nullopt;
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

/// The measured window: what the clocks said at its two ends.
class meter {
public:
    /// `server` 0: nobody's CPU time but our own.
    explicit meter(pid_t server) noexcept : server_(server) {}

    void start() noexcept { begin_ = read(); }
    void stop() noexcept { end_ = read(); }

    [[nodiscard]] bool started() const noexcept { return begin_.at != time_point{}; }
    [[nodiscard]] bool stopped() const noexcept { return end_.at != time_point{}; }
    [[nodiscard]] bool contains(time_point t) const noexcept {
        return started() && t >= begin_.at && (!stopped() || t < end_.at);
    }
    [[nodiscard]] std::chrono::nanoseconds window() const noexcept { return end_.at - begin_.at; }
    /// Nothing when there was no server to watch, or it is gone.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> server_cpu() const noexcept {
        if (!begin_.server || !end_.server) return std::nullopt;
        return *end_.server - *begin_.server;
    }
    [[nodiscard]] std::chrono::nanoseconds own_cpu() const noexcept { return end_.own - begin_.own; }

private:
    struct reading {
        time_point at{};
        std::optional<std::chrono::nanoseconds> server{};
        std::chrono::nanoseconds own{};
    };
    [[nodiscard]] reading read() const noexcept {
        return {std::chrono::steady_clock::now(), server_ > 0 ? cpu_time_of(server_) : std::nullopt,
                cpu_time_of(0).value_or(std::chrono::nanoseconds(0))};
    }

    pid_t server_;
    reading begin_{}, end_{};
};

} // namespace turn::bench
