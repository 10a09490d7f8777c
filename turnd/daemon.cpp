#include "daemon.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <unistd.h>

#include "admin_start.hpp"
#include "client_count.hpp"
#include "control.hpp"
#include "counters_file.hpp"
#include "credential_directory.hpp"
#include "event_log.hpp"
#include "event_memory.hpp"
#include "life_sign.hpp"
#include "observer_list.hpp"
#include "patience.hpp"
#include "repeating.hpp"
#include "server_setup.hpp"
#include "service_manager.hpp"
#include "summary.hpp"
#include "user_lookups.hpp"
#include "version.hpp"

namespace turnd {
namespace {

constexpr std::chrono::milliseconds drain_poll{50};

/// Returns how many allocations were left.
std::size_t drain(const serving& world, patience& wait, logger& to) {
    world.stop_accepting();
    const std::chrono::seconds timeout = world.drain_timeout();
    const auto deadline = world.now() + timeout;
    std::size_t left = world.allocations();
    to.write(log_level::info, "draining: no new allocations; a second signal ends at once",
             {{"allocations", std::uint64_t{left}}, {"timeout-seconds", static_cast<std::uint64_t>(timeout.count())}});
    while (left != 0 && world.now() < deadline) {
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - world.now());
        const auto signal = wait.next_signal(std::clamp(rest, std::chrono::milliseconds{1}, drain_poll));
        if (signal == signal_kind::end) break;
        if (signal == signal_kind::write_counters) world.write_counters();
        if (signal == signal_kind::reload) world.reload();
        left = world.allocations();
    }
    return left;
}

void write_counters(const turn::server& server, const std::string& path, logger& to) {
    if (path.empty()) {
        to.write(log_level::warning, "there is no counters file to write; set counters-file");
        return;
    }
    const auto done = replace_file(path, counters_json(server.totals(), std::chrono::system_clock::now(), version));
    if (!done) to.write(log_level::error, "counters not written", {{"file", path}, {"why", done.error()}});
}

/// The look-ups in the user database; nothing when there is none.
std::unique_ptr<user_lookups> open_database(const settings& s, logger& to) {
    const std::string& path = s.user_database;
    if (path.empty()) return {};
    const auto faulted = [&to, path](const database_error& error) {
        const complaint why = explain(error);
        to.write(log_level::error, "user database cannot be used; relays live on, new ones are refused (500)",
                 {{"file", path}, {"fault", name_of(error.why)}, {"why", why.what}, {"remedy", why.remedy}});
    };
    const auto usable = [&to, path](std::uint64_t failed) {
        to.write(log_level::info, "user database is good", {{"file", path}, {"look-ups-failed", failed}});
    };
    return std::make_unique<user_lookups>(user_lookups::options{.path = path, .by_userhash = s.username_anonymity},
                                          user_lookups_events{faulted, usable});
}

/// What the HTTP service asks of the server.
admin_world world_of(turn::server& server, const client_count& clients, const event_memory& memory, control& operations,
                     const std::atomic<bool>& draining, std::chrono::system_clock::time_point started) {
    return {.numbers =
                [&, started] {
                    return admin_numbers{.totals = server.totals(),
                                         .description = server.description(),
                                         .certificates = server.certificate_expiries(),
                                         .process = read_process_numbers(),
                                         .active_clients = clients.value(),
                                         .version = std::string(version),
                                         .started = started,
                                         .now = std::chrono::system_clock::now(),
                                         .draining = draining.load()};
                },
            .draining = [&] { return draining.load(); },
            .allocations = [&](const turn::allocation_filter& which,
                               std::size_t most) { return server.allocations(which, most); },
            .end_allocation = [&](turn::allocation_id id) { return server.end_allocation(id); },
            .end_allocations_of = [&](std::string_view realm,
                                      std::string_view user) { server.end_allocations_of(realm, user); },
            .why =
                [&](const why_subject& of, std::vector<turn::allocation_report> live) {
                    if (of.relay) return why_relay(memory, *of.relay, std::move(live));
                    if (of.client) return why_client(memory, *of.client, std::move(live));
                    return why_user(memory, *of.user, of.realm, std::move(live));
                },
            .reload = [&] { return operations.reload(); },
            .set_log_level = [&](log_level level) { operations.set_log_level(level); },
            .drain = [&] { operations.drain(); }};
}

/// Starts a server, runs it to its end and takes it down. Returns how many allocations the end cut off, or nothing
/// when it did not start.
std::optional<std::size_t> run_server(settings& s, configuration_sources from, const blocked_signals& signals,
                                      logger& to) {
    const auto started = std::chrono::system_clock::now();
    event_log lines(to);
    event_memory memory;
    client_count clients;
    observer_list events({&lines, &memory, &clients});
    const repeating summaries(std::chrono::seconds{5}, [&] { lines.say_due(); });
    current_directory directory(s);
    const auto database = open_database(s, to);
    auto server = turn::server::start(
        server_options_of(s, database ? source_of(directory, *database) : source_of(directory), &events));
    if (!server) {
        to.write(log_level::error, "not started", {{"why", server.error().what}});
        return {};
    }
    control operations(
        std::move(from), s, directory, to,
        {.reconfigure = [&](const settings& next) { return server->reconfigure(server_options_of(next, {}, nullptr)); },
         .end_allocations_of = [&](auto realm, auto name) { server->end_allocations_of(realm, name); },
         .reload_certificates = [&] { return server->reload_certificates(); },
         .drain = [] { ::kill(::getpid(), SIGUSR2); }});
    std::atomic<bool> draining{false};
    std::optional<http_service> admin;
    if (!start_admin(s, world_of(*server, clients, memory, operations, draining, started), to, admin)) return {};
    if (database)
        database->watch_removals([&](const std::string& realm, const std::string& name) {
            if (!directory.now()->has_user(realm, name)) server->end_allocations_of(realm, name);
        });
    write_summary(to, s, server->description(), read_machine_limits());
    const service_manager manager;
    manager.ready("serving");

    life_sign sign(*server, manager, to);
    const auto stop_accepting = [&] {
        draining = true;
        manager.stopping("draining", operations.drain_timeout());
        server->stop_accepting();
    };
    const std::size_t left = serve({.next_signal = [&](auto timeout) { return signals.wait(timeout); },
                                    .now = [] { return std::chrono::steady_clock::now(); },
                                    .stop_accepting = stop_accepting,
                                    .allocations = [&] { return server->allocation_count(); },
                                    .write_counters = [&] { write_counters(*server, operations.counters_file(), to); },
                                    .reload = [&] { operations.reload(); },
                                    .drain_timeout = [&] { return operations.drain_timeout(); },
                                    .watchdog = [&] { sign.give(); },
                                    .watchdog_interval = service_manager::watchdog_interval()},
                                   to);
    admin.reset();                  // it asks the server
    if (database) database->stop(); // it knows the server
    server->stop();                 // the last counters tell whether everything was given back
    if (const auto file = operations.counters_file(); !file.empty()) write_counters(*server, file, to);
    return left;
}

} // namespace

std::size_t serve(const serving& world, logger& to) {
    patience wait(world);
    for (;;) {
        const auto signal = wait.next_signal();
        if (signal == signal_kind::end || signal == signal_kind::drain) return drain(world, wait, to);
        if (signal == signal_kind::write_counters) world.write_counters();
        if (signal == signal_kind::reload) world.reload();
    }
}

int run(configuration c, configuration_sources from, const blocked_signals& signals) {
    logger to(c.settings.log_level, c.settings.log_format);
    to.set_addresses(c.settings.log_addresses);
    to.write(log_level::info, "turnd starts", {{"version", version}, {"configuration", c.file}});
    for (const std::string& warning : c.warnings) to.write(log_level::warning, warning);
    const auto left = run_server(c.settings, std::move(from), signals, to);
    if (!left) return exit_not_started;
    to.write(log_level::info, "turnd ends",
             {{"allocations-left", std::uint64_t{*left}}, {"log-lines-lost", to.dropped()}});
    return exit_good;
}

} // namespace turnd
