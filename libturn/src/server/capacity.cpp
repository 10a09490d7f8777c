#include "server/capacity.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace turn {

namespace {

constexpr std::size_t default_allocations = 100'000;
/// Descriptors left to the application: its log files, databases, other sockets.
constexpr std::size_t descriptor_reserve = 64;

} // namespace

result<capacity, start_error> find_capacity(const capacity_inputs& in, std::vector<std::string>& warnings) {
    const std::size_t ports = (std::size_t{in.port_max} - in.port_min + 1) * in.relay_addresses;
    const std::size_t taken = in.descriptors_in_use + descriptor_reserve;
    const std::size_t descriptors = in.descriptor_limit > taken ? in.descriptor_limit - taken : 0;
    const std::size_t possible = std::min(ports, descriptors);
    const std::size_t limit = in.wanted != 0 ? in.wanted : default_allocations;
    if (possible == 0)
        return start_error{"file descriptors: the limit of " + std::to_string(in.descriptor_limit) +
                               " leaves none for relays; raise it (LimitNOFILE=, ulimit -n)",
                           0};
    if (limit <= possible) return capacity{limit, "allocations-total"};

    const bool by_ports = ports <= descriptors;
    const std::string cause = by_ports ? "relay ports " + std::to_string(in.port_min) + "-" +
                                             std::to_string(in.port_max) + " on " + std::to_string(in.relay_addresses) +
                                             (in.relay_addresses == 1 ? " address" : " addresses") +
                                             " allow no more; widen the range or add a relay address"
                                       : "the limit of " + std::to_string(in.descriptor_limit) +
                                             " file descriptors allows no more; raise it (LimitNOFILE=, ulimit -n)";
    if (in.wanted != 0)
        return start_error{"allocations-total " + std::to_string(in.wanted) + " is above " + std::to_string(possible) +
                               ": " + cause + ", or lower allocations-total",
                           0};
    warnings.push_back("capacity is " + std::to_string(possible) + " allocations instead of " + std::to_string(limit) +
                       ": " + cause);
    return capacity{possible, by_ports ? "relay ports" : "file descriptors"};
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    std::error_code no_proc;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", no_proc)) ++count;
    return count;
}

} // namespace turn
