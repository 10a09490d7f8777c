#pragma once
/// How many allocations a server can hold: min(limit, relay ports, file descriptors).

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "turn/server.hpp"

namespace turn {

/// What bounds it.
struct capacity_inputs {
    std::size_t wanted = 0; ///< server_options::allocations_total; 0: as many as possible, at most 100 000
    std::uint16_t port_min = 0, port_max = 0;
    std::size_t relay_addresses = 0;
    std::size_t descriptor_limit = 0;
    std::size_t descriptors_in_use = 0; ///< and those the server is still going to open for itself
};

struct capacity {
    std::size_t allocations = 0;
    std::string bound_by{}; ///< as server_description::capacity_bound_by
};

/// A limit set above what is possible is an error with a remedy; a default is lowered with a warning.
result<capacity, start_error> find_capacity(const capacity_inputs&, std::vector<std::string>& warnings);

/// How many descriptors this process has open.
std::size_t open_descriptors();

} // namespace turn
