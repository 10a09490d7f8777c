#pragma once
/// What `turnd check-config` looks at beyond the configuration itself: certificates, addresses, and what the machine
/// grants.

#include <chrono>
#include <cstddef>
#include <string_view>

#include "configuration.hpp"
#include "summary.hpp"

namespace turnd {

struct machine {
    std::size_t descriptors = 0; ///< the hard limit of this process; 0: unknown
    unsigned cores = 1;
    machine_limits buffers{};
};
machine read_machine();

/// Adds problems (a server would not start, or no client could use it) and warnings. `name`: what clients call the
/// server, to look for in its certificates; empty: not asked. Precondition: no problems so far.
void check_in_depth(configuration&, const machine&, std::string_view name, std::chrono::system_clock::time_point now);

} // namespace turnd
