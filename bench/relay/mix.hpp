#pragma once
/// What a server meets in a day, all at once: calls with sound and picture, clients over TCP, clients that come and go.

#include "outcome.hpp"

namespace turn::bench {

/// Units are packets relayed; what each kind of load found is in `parts`. Throws trouble.
outcomes run_mix(const load_options&);

} // namespace turn::bench
