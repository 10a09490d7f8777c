#pragma once
/// What the kernel says of this process, for the process_* metrics.

#include <cstdint>
#include <string_view>

namespace turnd {

struct process_numbers {
    double cpu_seconds = 0; ///< user and system, all threads
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t open_descriptors = 0;
    std::uint64_t descriptor_limit = 0;
};

process_numbers read_process_numbers();

} // namespace turnd
