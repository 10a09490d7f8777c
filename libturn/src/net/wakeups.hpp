#pragma once
/// What ends a sleep besides packets: another thread, or the time.

#include <atomic>

#include "net/file_descriptor.hpp"
#include "turn/packet.hpp"

namespace turn::net {

/// Any thread rings, one thread hears (an eventfd).
class bell {
public:
    bell() noexcept; ///< check with operator bool; the cause is in errno
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
    /// Readable when it has been rung and not been silenced since.
    [[nodiscard]] int native_handle() const noexcept { return handle_.number(); }

    void ring() noexcept;
    void silence() noexcept;

private:
    file_descriptor handle_;
    std::atomic<bool> rung_ = false; ///< there is, or was a moment ago, something to read
};

/// One point in time of steady_clock (a timerfd). Used by one thread.
class alarm_clock {
public:
    alarm_clock() noexcept; ///< check with operator bool; the cause is in errno
    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
    /// Readable from the time it is set to.
    [[nodiscard]] int native_handle() const noexcept { return handle_.number(); }

    /// time_point::max(): never.
    void set(time_point when) noexcept;
    [[nodiscard]] time_point when() const noexcept { return when_; }

private:
    file_descriptor handle_;
    time_point when_ = time_point::max();
};

} // namespace turn::net
