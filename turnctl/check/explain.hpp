#pragma once
/// What a trouble means for whoever runs the server, and what to do about it, in words.

#include <string>

#include "turn/uri.hpp"
#include "turnctl/check/report.hpp"
#include "turnctl/check/trouble.hpp"

namespace turnctl::check {

/// What the words need to know of the situation.
struct circumstances {
    turn::uri server{};
    std::string address{};  ///< that was spoken to, "192.0.2.1:3478"
    std::string username{}; ///< empty: none was given
    std::string realm{};    ///< of the last challenge; empty: none came
};

/// One step's trouble as a finding of weight critical.
finding explain(step, const trouble&, const circumstances&);

} // namespace turnctl::check
