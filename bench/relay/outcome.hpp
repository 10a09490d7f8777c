#pragma once
/// What a run measured, and its JSON.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "fairness.hpp"
#include "histogram.hpp"
#include "meter.hpp"
#include "options.hpp"
#include "resident.hpp"

namespace turn::bench {

/// Of the server: before all allocations, with them (memory only), after their end.
struct memory_use {
    resident before{}, full{}, after{};
};

struct outcome {
    /// `unit`: a packet relayed up or down, a Binding answered, an allocation made and ended, or only made; of
    /// tcp_relay a million bytes relayed.
    std::array<std::uint64_t, 2> delivered{}; ///< units within the window, by direction::up, direction::down
    std::uint64_t sent = 0;                   ///< units begun within the window
    std::uint64_t arrived = 0;                ///< of those, ever
    std::uint64_t skipped = 0;                ///< units the generator was too late to begin
    std::uint64_t duplicates = 0;
    std::uint64_t reordered = 0;
    std::uint64_t wrong = 0;        ///< payloads that are damaged, or came to somebody else: an error
    std::uint64_t failed = 0;       ///< requests that were refused or not answered: an error
    std::string failure{};          ///< why the first of those failed
    std::uint64_t dropped_here = 0; ///< datagrams lost at the generator's own sockets
    std::string cipher{};           ///< of TLS clients: protocol and cipher
    // Over the whole run, for the books of the server.
    std::array<std::uint64_t, 2> total_sent{};
    std::array<std::uint64_t, 2> total_arrived{};

    std::optional<memory_use> memory{};
    std::optional<fairness> fair{}; ///< if one floods; the counts before the totals are then those of the others

    histogram latency{}; ///< of units begun within the window
    meter clocks{0};

    [[nodiscard]] std::uint64_t units() const noexcept { return delivered[0] + delivered[1]; }
    /// Something was done, and nothing of it was wrong. Loss is a figure, not an error.
    [[nodiscard]] bool valid() const noexcept { return units() > 0 && wrong == 0 && failed == 0; }
};

/// A mix by kinds of load, or just `all`.
struct outcomes {
    struct part {
        load_options options;
        outcome found;
    };
    outcome all;
    std::vector<part> parts{};
};

/// One JSON object on one line.
std::string to_json(const load_options&, const outcomes&);

} // namespace turn::bench
