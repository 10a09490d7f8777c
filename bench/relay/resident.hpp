#pragma once
/// How much memory a process has, from the kernel's own accounting.

#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include <sys/types.h>

namespace turn::bench {

/// Bytes in RAM. What the kernel keeps for the process (its sockets) is in neither.
struct resident {
    std::uint64_t all = 0;       ///< RSS
    std::uint64_t anonymous = 0; ///< of that, what is no file's: heap and stacks
};

/// /proc/PID/smaps_rollup, which is exact, where /proc/PID/status lags behind by some pages a thread. 0: ourselves.
/// Nothing when there is no such process, or it is another user's.
inline std::optional<resident> resident_memory_of(pid_t pid) {
    std::ifstream file("/proc/" + (pid == 0 ? "self" : std::to_string(pid)) + "/smaps_rollup");
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n'); // the range of addresses
    std::optional<std::uint64_t> all, anonymous;
    std::string name, unit;
    for (std::uint64_t kilobytes = 0; file >> name >> kilobytes >> unit;) {
        if (name == "Rss:") all = kilobytes * 1024;
        if (name == "Anonymous:") anonymous = kilobytes * 1024;
    }
    if (!all || !anonymous) return std::nullopt;
    return resident{*all, *anonymous};
}

} // namespace turn::bench
