#include "admin_numbers.hpp"

namespace turnd {

std::size_t ports_of(const turn::server_description& d) noexcept {
    return d.relays.size() * (std::size_t{d.relay_port_max} - d.relay_port_min + 1);
}

std::uint64_t dropped(const turn::server_totals& t, turn::direction way, turn::reason why) noexcept {
    const auto d = static_cast<std::size_t>(way), r = static_cast<std::size_t>(why);
    std::uint64_t sum = t.net.dropped[d][r] + t.streams.dropped[d][r];
    if (d < t.relay.dropped.size()) sum += t.relay.dropped[d][r];
    if (way == turn::direction::up) sum += t.dtls.dropped[r];
    return sum;
}

} // namespace turnd
