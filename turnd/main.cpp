/// turnd: the STUN and TURN server as a program.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "check_config.hpp"
#include "configuration.hpp"
#include "daemon.hpp"
#include "flags.hpp"
#include "signals.hpp"
#include "version.hpp"

namespace {

turnd::environment environment_of_process() {
    turnd::environment variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (const std::size_t equals = text.find('='); equals != std::string_view::npos)
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

/// Prints every problem; true when there is any.
bool report(const turnd::problem_list& problems) {
    for (const turnd::problem& p : problems) fmt::print(stderr, "turnd: {}\n", p.to_string());
    return !problems.empty();
}

int start(int argc, char** argv) {
    turnd::command_line line = turnd::parse_command_line({argv + 1, argv + argc});
    if (line.what == turnd::command_line::verb::help) {
        fmt::print("{}", line.help);
        return turnd::exit_good;
    }
    turnd::configuration_sources from;
    turnd::configuration c;
    if (line.understood && line.what != turnd::command_line::verb::version) {
        from = {std::move(line.flags), environment_of_process()};
        c = turnd::load_configuration(from);
    }
    const bool checking = line.what == turnd::command_line::verb::check_config;
    if (checking && line.problems.empty() && c.problems.empty())
        turnd::check_in_depth(c, turnd::read_machine(), line.name, std::chrono::system_clock::now());
    c.problems.insert(c.problems.begin(), line.problems.begin(), line.problems.end());
    if (report(c.problems)) return turnd::exit_bad_configuration;
    if (line.what == turnd::command_line::verb::version) {
        fmt::print("turnd {}\n", turnd::version);
        return turnd::exit_good;
    }
    if (checking) {
        for (const std::string& warning : c.warnings) fmt::print(stderr, "turnd: warning: {}\n", warning);
        fmt::print("{}: no problems\n", c.file.empty() ? "configuration" : c.file);
        return turnd::exit_good;
    }
    std::signal(SIGPIPE, SIG_IGN); // a log reader that went away must not end the relays
    const turnd::blocked_signals signals;
    return turnd::run(std::move(c), std::move(from), signals);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return start(argc, argv);
    } catch (const std::exception& e) {
        fmt::print(stderr, "turnd: {}\n", e.what());
        return turnd::exit_not_started;
    }
}
