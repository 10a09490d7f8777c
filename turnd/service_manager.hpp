#pragma once
/// What systemd is told, when it started turnd and wants to know: sd_notify(3). Without it nothing happens.

#include <chrono>
#include <optional>
#include <string_view>

namespace turnd {

/// Speaks to the socket that $NOTIFY_SOCKET names. Any thread may call any member.
class service_manager {
public:
    void ready(std::string_view status) const;
    void reloading() const;
    void reloaded() const;
    /// turnd is about to end, and needs up to `time` for it: systemd's own limit moves with it.
    void stopping(std::string_view status, std::chrono::seconds time) const;
    /// The sign of life that systemd waits for.
    void alive(std::string_view status) const;

    /// How often alive() is due: half of what WatchdogSec= grants. Nothing: nobody waits for it.
    [[nodiscard]] static std::optional<std::chrono::milliseconds> watchdog_interval();
};

} // namespace turnd
