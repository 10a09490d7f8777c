#pragma once
/// What allocations take of the server's memory: many of them, each with a permission and a channel, all at once.

#include "flows.hpp"
#include "outcome.hpp"

namespace turn::bench {

/// Throws trouble when it cannot be read.
resident memory_of_server(pid_t);

/// Makes them all, and ends them. Throws trouble.
outcome measure_memory(const load_options&);

} // namespace turn::bench
