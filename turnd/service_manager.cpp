#include "service_manager.hpp"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace turnd {
namespace {

void tell(const std::string& state) {
    ::sd_notify(0, state.c_str()); // there is nobody to complain to
}

std::uint64_t monotonic_microseconds() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

} // namespace

void service_manager::ready(std::string_view status) const {
    tell(fmt::format("READY=1\nSTATUS={}", status));
}

void service_manager::reloading() const {
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
}

void service_manager::reloaded() const {
    tell("READY=1");
}

void service_manager::stopping(std::string_view status, std::chrono::seconds time) const {
    constexpr std::chrono::seconds for_the_rest{30}; // ending allocations, the last counters
    tell(fmt::format("STOPPING=1\nSTATUS={}\nEXTEND_TIMEOUT_USEC={}", status,
                     std::chrono::microseconds(time + for_the_rest).count()));
}

void service_manager::alive(std::string_view status) const {
    tell(fmt::format("WATCHDOG=1\nSTATUS={}", status));
}

std::optional<std::chrono::milliseconds> service_manager::watchdog_interval() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) <= 0) return {};
    return std::chrono::milliseconds(std::max<std::uint64_t>(1, microseconds / 2000));
}

} // namespace turnd
