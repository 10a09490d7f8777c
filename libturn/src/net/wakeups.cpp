#include "net/wakeups.hpp"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace turn::net {

bell::bell() noexcept : handle_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

void bell::ring() noexcept {
    const std::uint64_t one = 1;
    // Fails only when it has been rung 2^64 times: then it is readable, too.
    [[maybe_unused]] const ssize_t written = ::write(handle_.number(), &one, sizeof one);
    rung_.store(true, std::memory_order_release); // after it: whoever hears of it has something to read
}

void bell::silence() noexcept {
    if (!rung_.load(std::memory_order_relaxed)) return; // the usual case: something else has ended the sleep
    rung_.store(false, std::memory_order_relaxed);
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t read = ::read(handle_.number(), &rings, sizeof rings);
}

alarm_clock::alarm_clock() noexcept : handle_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {}

void alarm_clock::set(time_point when) noexcept {
    when_ = when;
    itimerspec at{}; // all zero: never
    if (when != time_point::max()) {
        const auto since_boot = std::max(when.time_since_epoch(), time_point::duration(1));
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
        at.it_value = {static_cast<time_t>(seconds.count()), static_cast<long>((since_boot - seconds).count())};
    }
    ::timerfd_settime(handle_.number(), TFD_TIMER_ABSTIME, &at, nullptr);
}

} // namespace turn::net
