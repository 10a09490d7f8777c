#include "turnctl/run.hpp"

#include <algorithm>
#include <ostream>

#include <CLI/CLI.hpp>

#include "printable.hpp"
#include "version.hpp"

namespace turnctl {
namespace {

constexpr const char* epilogue =
    "Exit status: 0 good; 1 done or found, but something is not as it should be; 2 not done; 3 a command line that\n"
    "makes no sense. Every verb has --json.";

} // namespace

int run(std::vector<std::string> arguments, console& to) {
    CLI::App app("turnctl asks and directs a turnd, and checks any TURN server.", "turnctl");
    app.footer(epilogue);
    app.require_subcommand(1);
    app.set_version_flag("--version", "turnctl " + std::string(turnd::version));
    const std::vector<verb> verbs = add_verbs(app);
    try {
        std::reverse(arguments.begin(), arguments.end()); // CLI11 takes them from the back
        app.parse(std::move(arguments));
    } catch (const CLI::Success& wanted) { // --help and --version are exceptions to CLI11
        app.exit(wanted, to.out, to.err);
        return exit_good;
    } catch (const CLI::ParseError& error) {
        to.err << "turnctl: " << turnd::printable(error.what()) << "; turnctl --help has all verbs\n";
        return exit_usage;
    }
    const auto chosen = std::find_if(verbs.begin(), verbs.end(), [](const verb& v) { return v.command->parsed(); });
    return chosen->run(to); // one was required
}

} // namespace turnctl
