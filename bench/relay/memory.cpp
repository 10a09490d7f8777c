#include "memory.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>

namespace turn::bench {
namespace {

constexpr rlim_t other_descriptors = 256;

/// A socket for each client and peer.
void raise_descriptor_limit(const load_options& o) {
    const rlim_t wanted = o.clients + o.peers + other_descriptors;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return;
    const rlimit raised{wanted, std::max(limit.rlim_max, wanted)};
    if (::setrlimit(RLIMIT_NOFILE, &raised) != 0)
        throw trouble{
            fmt::format("{} clients need {} descriptors, and the limit is {}", o.clients, wanted, limit.rlim_max)};
}

} // namespace

resident memory_of_server(pid_t pid) {
    const auto now = resident_memory_of(pid);
    if (!now) throw trouble{fmt::format("the memory of process {} cannot be read", pid)};
    return *now;
}

outcome measure_memory(const load_options& o) {
    raise_descriptor_limit(o);
    outcome result;
    result.clocks = meter(o.pid, o.threads_named);
    flows all(o);
    result.memory = memory_use{.before = memory_of_server(o.pid)};
    result.clocks.start();
    const auto refused = all.join_those_who_can();
    result.clocks.stop();
    result.memory->full = memory_of_server(o.pid);
    result.sent = o.clients;
    result.arrived = result.delivered[0] = o.clients - refused.count;
    result.failed = refused.count;
    result.failure = refused.first;
    result.dropped_here = all.io().dropped();
    all.leave();
    result.memory->after = memory_of_server(o.pid);
    return result;
}

} // namespace turn::bench
