#include "control.hpp"

#include <cstdint>
#include <memory>
#include <utility>

#include "file_text.hpp"

namespace turnd {
namespace {

void wipe_secrets(settings& s) {
    for (user_setting& user : s.users) wipe(user.password);
    for (std::string& secret : s.rest_secrets) wipe(secret);
}

} // namespace

control::control(configuration_sources from, settings running, current_directory& users, logger& to, controlled server)
    : from_(std::move(from)), users_(users), log_(to), server_(std::move(server)), started_as_(service_of(running)),
      running_(std::move(running)) {}

reload_report control::reload() {
    const std::lock_guard lock(mutex_);
    manager_.reloading();
    configuration wanted = load_configuration(from_);
    reload_report report{std::move(wanted.problems), std::move(wanted.warnings), {}, wanted.file};
    if (report.good()) apply(wanted, report);
    wipe_secrets(wanted.settings);
    write(report);
    manager_.reloaded();
    return report;
}

/// Precondition: no problems in it.
void control::apply(configuration& wanted, reload_report& report) {
    settings next = after_reload(running_, wanted.settings);
    if (const auto done = server_.reconfigure(next); !done) { // the only step that may fail, so it comes first
        wipe_secrets(next);
        report.problems.push_back({{.place = wanted.file}, "", {done.error().what, "correct it and reload again"}});
        return;
    }
    auto directory = std::make_shared<const credential_directory>(next); // wipes the secrets in `next`
    const auto before = users_.now();
    const credential_changes credentials = before->changes_to(*directory);
    report.changes = changes_between(running_, wanted.settings, credentials);
    if (service_of(wanted.settings) != started_as_)
        report.warnings.emplace_back("what this server is for (STUN only, or relaying with or without credentials) "
                                     "changes with a restart only");

    log_.set_level(next.log_level);
    log_.set_format(next.log_format);
    log_.set_addresses(next.log_addresses);
    users_.replace(std::move(directory));
    // Behind the new directory: nobody can come back with what was taken away.
    for (const user_in_realm& user : credentials.ended) server_.end_allocations_of(user.realm, user.name);
    for (std::string& error : server_.reload_certificates())
        report.warnings.push_back("certificates not reloaded; the old ones stay: " + std::move(error));
    running_ = std::move(next);
}

void control::write(const reload_report& report) {
    for (const problem& p : report.problems) {
        field line{"line"};
        if (p.where.line != 0) line.value = std::uint64_t{p.where.line};
        log_.write(log_level::error, "configuration not reloaded; nothing changes",
                   {{"file", p.where.place},
                    line,
                    {"key", p.where.name},
                    {"value", p.value},
                    {"why", p.why.what},
                    {"remedy", p.why.remedy}});
    }
    for (const std::string& warning : report.warnings) log_.write(log_level::warning, warning);
    if (!report.good()) return;
    std::uint64_t at_once = 0, later = 0;
    for (const change& c : report.changes) {
        const bool now = c.when == takes_effect::at_once;
        ++(now ? at_once : later);
        log_.write(now ? log_level::info : log_level::warning,
                   now ? "setting changed" : "setting needs a restart; the old value stays",
                   {{"key", c.key}, {"from", c.from}, {"to", c.to}});
    }
    log_.write_always(log_level::info, "configuration reloaded",
                      {{"file", report.file}, {"changed", at_once}, {"need-restart", later}});
}

void control::set_log_level(log_level level) {
    const std::lock_guard lock(mutex_);
    if (running_.log_level == level) return;
    running_.log_level = level;
    log_.set_level(level);
    log_.write_always(log_level::info, "log level changed on request");
}

std::chrono::seconds control::drain_timeout() const {
    const std::lock_guard lock(mutex_);
    return running_.drain_timeout;
}

std::string control::counters_file() const {
    const std::lock_guard lock(mutex_);
    return running_.counters_file;
}

} // namespace turnd
