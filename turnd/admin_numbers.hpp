#pragma once
/// Everything that is counted at one moment: what the status and the metrics are made of.

#include <chrono>
#include <string>
#include <vector>

#include "process_numbers.hpp"
#include "turn/server.hpp"

namespace turnd {

struct admin_numbers {
    turn::server_totals totals{};
    turn::server_description description{};
    std::vector<turn::server::certificate_expiry> certificates{};
    process_numbers process{};
    std::size_t active_clients = 0; ///< addresses that have an allocation
    std::string version{};
    std::chrono::system_clock::time_point started{};
    std::chrono::system_clock::time_point now{};
    bool draining = false;
};

/// Ports that relays may be bound to, on all relay addresses.
std::size_t ports_of(const turn::server_description&) noexcept;

/// Dropped datagrams and frames of a direction, wherever it happened.
std::uint64_t dropped(const turn::server_totals&, turn::direction, turn::reason) noexcept;

} // namespace turnd
