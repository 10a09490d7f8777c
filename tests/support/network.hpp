#pragma once
/// A network without sockets: datagrams under way, lost, delayed, doubled and reordered by seed.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <random>

#include "support/wire.hpp"
#include "turn/packet.hpp"

namespace turn::test {

/// One datagram under way.
struct flight {
    transport_address from{}, to{};
    blob data{};
    bool dont_fragment = false;
    std::uint8_t traffic_class = 0; ///< DSCP and ECN
};

/// How the network behaves from now on; the same seed gives the same losses.
struct network_conditions {
    double loss = 0;                     ///< share of datagrams that never arrive
    double duplication = 0;              ///< share that arrives twice
    std::chrono::milliseconds delay{0};  ///< one way
    std::chrono::milliseconds jitter{0}; ///< up to so much more, drawn for each datagram: this reorders
    std::uint64_t seed = 1;
    /// Loses just these datagrams, e.g. the first answer to somebody. Asked once for each that is sent.
    std::function<bool(const flight&)> lose{};
};

class network {
public:
    network_conditions conditions{};

    void send(flight f, time_point now);
    /// The next datagram due by `now`, in order of arrival. False: none.
    bool arrived(time_point now, flight& out);
    [[nodiscard]] time_point next_arrival() const noexcept;

    /// A number below `bound` from the seeded generator.
    std::uint64_t random(std::uint64_t bound);

private:
    bool happens(double share);
    std::mt19937_64& generator();

    std::multimap<time_point, flight> under_way_{}; // equal keys keep their order
    std::mt19937_64 generator_{};
    std::uint64_t seeded_with_ = 0;
};

} // namespace turn::test
