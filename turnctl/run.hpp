#pragma once
/// turnctl from its arguments to its exit status.

#include <string>
#include <vector>

#include "turnctl/verb.hpp"

namespace turnctl {

/// `arguments` without the program's name.
int run(std::vector<std::string> arguments, console&);

} // namespace turnctl
