#pragma once
/// Where turnctl has a password from: never the command line, which everybody on the machine can read.

#include <string>

#include "problem.hpp"
#include "turnctl/verb.hpp"

namespace turnctl {

struct password_source {
    bool standard_input = false;
    std::string file{};                ///< empty: none
    std::string terminal = "/dev/tty"; ///< asked, twice and without echo, when neither of them is given
};

/// An acceptable password. Whoever has it wipes it.
turnd::parsed<std::string> read_password(const password_source&, console&);

} // namespace turnctl
