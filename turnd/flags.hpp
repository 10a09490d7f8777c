#pragma once
/// The command line. CLI11 parses it, driven by the table of keys; it knows neither files nor the environment.

#include <string>
#include <vector>

#include "layers.hpp"

namespace turnd {

struct command_line {
    enum class verb { run, check_config, help, version };
    verb what = verb::run;
    layer flags{};
    std::string name{};      ///< check-config --name: what clients call the server
    bool understood = true;  ///< false: nothing but `problems` is meaningful
    problem_list problems{}; ///< unknown flags, flags without their value
    std::string help{};      ///< the text of --help
};

/// `arguments` without the program's name.
command_line parse_command_line(std::vector<std::string> arguments);

} // namespace turnd
