#pragma once
/// turnctl run in the test's own process.

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "turnctl/run.hpp"

namespace turnctl::test {

struct said {
    int status = 0;
    std::string out{};
    std::string err{};
};

/// `input` is what comes by standard input.
inline said told(std::vector<std::string> arguments, std::string input = {}) {
    std::istringstream in(std::move(input));
    std::ostringstream out, err;
    console to{in, out, err};
    const int status = run(std::move(arguments), to);
    return {status, out.str(), err.str()};
}

} // namespace turnctl::test
