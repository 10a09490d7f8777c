#pragma once
/// What every verb of turnctl is made of: one file per verb, one line in verbs.cpp.

#include <functional>
#include <iosfwd>
#include <vector>

namespace CLI {
class App;
}

namespace turnctl {

/// Exit statuses, for scripts and monitoring: the same meaning for every verb.
inline constexpr int exit_good = 0;
inline constexpr int exit_warning = 1;  ///< done or found, but something is not as it should be
inline constexpr int exit_critical = 2; ///< not done: refused, broken, or nobody there
inline constexpr int exit_usage = 3;    ///< the command line makes no sense; nothing was tried

/// What a verb reads and writes; tests give it streams of their own.
struct console {
    std::istream& in;
    std::ostream& out; ///< results
    std::ostream& err; ///< what went wrong, in words
};

/// A subcommand with its flags, and what it does once they are parsed.
struct verb {
    CLI::App* command = nullptr;
    std::function<int(console&)> run{}; ///< returns an exit status
};

/// Each adds its subcommand, which lives as long as the application.
verb add_status(CLI::App&);
verb add_relays(CLI::App&);
verb add_relay(CLI::App&);
verb add_why(CLI::App&);
verb add_kick(CLI::App&);
verb add_drain(CLI::App&);
verb add_reload(CLI::App&);
verb add_log_level(CLI::App&);
verb add_user(CLI::App&);
verb add_credential(CLI::App&);
verb add_check(CLI::App&);

/// All of them, in the order of --help.
std::vector<verb> add_verbs(CLI::App&);

} // namespace turnctl
