#pragma once
/// What the stories of TCP allocations share (RFC 6062): Ann, who has one, and two peers.

#include <utility>

#include "support/story.hpp"
#include "support/tcp_world.hpp"

namespace turn::test {

inline const transport_address bob = *transport_address::parse("25.0.0.1:5000");
inline const transport_address eve = *transport_address::parse("25.0.0.2:5000");

/// Ann has a TCP allocation.
struct tcp_story {
    tcp_world w;
    tcp_client ann;

    explicit tcp_story(tcp_world::options o = {}) : w(std::move(o)), ann(w.client("ann")) {
        REQUIRE(ann.allocate().code() == success);
    }
};

} // namespace turn::test
