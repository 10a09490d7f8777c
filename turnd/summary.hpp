#pragma once
/// What turnd says of itself when it starts: listeners, relay addresses, capacity, kernel, limits, and what to mend.

#include <cstddef>

#include "log.hpp"
#include "settings.hpp"
#include "turn/server.hpp"

namespace turnd {

/// What the machine grants, as far as the summary judges it.
struct machine_limits {
    std::size_t largest_receive_buffer = 0; ///< net.core.rmem_max in bytes; 0: unknown
    std::size_t largest_send_buffer = 0;    ///< net.core.wmem_max
};
machine_limits read_machine_limits();

/// Bytes a listener's receive buffer should hold on each shard so that a pause of 20 ms loses nothing: 50 packets a
/// second and allocation, which is audio, at 2304 bytes that the kernel charges for a small packet.
std::size_t wanted_receive_buffer(std::size_t capacity, unsigned shards) noexcept;

/// Writes the summary, warnings included, and ends with the line "ready", which is written at any log level.
void write_summary(logger&, const settings&, const turn::server_description&, const machine_limits&);

} // namespace turnd
