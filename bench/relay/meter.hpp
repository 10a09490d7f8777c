#pragma once
/// CPU time of a process over a window, from the kernel's own accounting.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

/// Of those threads that live and whose name begins so. From /proc/PID/task, which is as new as the last time a thread
/// slept or the last tick of the scheduler. Nothing when there is no such thread.
inline std::optional<std::chrono::nanoseconds> cpu_time_of_threads(pid_t pid, std::string_view named) {
    std::optional<std::chrono::nanoseconds> sum;
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
        std::string name;
        std::int64_t running = 0;
        std::getline(std::ifstream(task.path() / "comm"), name);
        if (name.starts_with(named) && std::ifstream(task.path() / "schedstat") >> running)
            sum = sum.value_or(std::chrono::nanoseconds(0)) + std::chrono::nanoseconds(running);
    }
    return sum;
}

/// The measured window: what the clocks said at its two ends.
class meter {
public:
    /// `server` 0: nobody's CPU time but our own. `threads` not empty: of its threads whose name begins so.
    explicit meter(pid_t server, std::string threads = {}) : server_(server), threads_(std::move(threads)) {}

    void start() { begin_ = read(); }
    void stop() { end_ = read(); }

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
    [[nodiscard]] reading read() const {
        return {std::chrono::steady_clock::now(), cpu_of_server(),
                cpu_time_of(0).value_or(std::chrono::nanoseconds(0))};
    }
    [[nodiscard]] std::optional<std::chrono::nanoseconds> cpu_of_server() const {
        if (server_ <= 0) return std::nullopt;
        return threads_.empty() ? cpu_time_of(server_) : cpu_time_of_threads(server_, threads_);
    }

    pid_t server_;
    std::string threads_;
    reading begin_{}, end_{};
};

} // namespace turn::bench
