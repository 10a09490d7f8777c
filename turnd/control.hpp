#pragma once
/// What may be asked of a running turnd: reload, drain, another log level. By signals, and by whoever speaks to the
/// administration socket.

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "configuration.hpp"
#include "credential_directory.hpp"
#include "log.hpp"
#include "reload.hpp"
#include "service_manager.hpp"
#include "turn/server.hpp"

namespace turnd {

/// What came of a reload.
struct reload_report {
    problem_list problems{};             ///< not empty: nothing has changed
    std::vector<std::string> warnings{}; ///< of the new configuration, and of files that cannot be used
    std::vector<change> changes{};       ///< key by key; those that need a restart have not been made
    std::string file{};                  ///< that was read; empty: none
    [[nodiscard]] bool good() const noexcept { return problems.empty(); }
};

/// What control needs of the server.
struct controlled {
    /// Peers, limits and answers as these settings have them. An error: nothing has changed.
    std::function<turn::result<void, turn::start_error>(const settings&)> reconfigure;
    std::function<void(std::string_view realm, std::string_view username)> end_allocations_of;
    std::function<std::vector<std::string>()> reload_certificates; ///< what could not be used, in words
    std::function<void()> drain; ///< wakes whoever waits for signals; may be called more than once
};

/// Any thread may call any member; reloads come one after the other.
class control {
public:
    /// Everything outlives this object. `running`: the settings of the start, secrets wiped.
    control(configuration_sources from, settings running, current_directory& users, logger& to, controlled server);

    /// Reads everything again that the start read. A configuration with problems changes nothing. What came of it is in
    /// the log as well.
    reload_report reload();
    /// No new allocations; turnd ends when the old ones have, or after drain-timeout.
    void drain() const { server_.drain(); }
    /// Until the next reload that finds another level in the configuration.
    void set_log_level(log_level);

    [[nodiscard]] std::chrono::seconds drain_timeout() const;
    [[nodiscard]] std::string counters_file() const;

private:
    void apply(configuration& wanted, reload_report&);
    void write(const reload_report&);

    const configuration_sources from_;
    current_directory& users_;
    logger& log_;
    const controlled server_;
    const service_manager manager_{};
    const service started_as_;
    mutable std::mutex mutex_{};
    settings running_; ///< guarded by it; secrets wiped
};

} // namespace turnd
