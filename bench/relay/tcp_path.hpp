#pragma once
/// One client's connection joined with a peer's, by a TURN server (RFC 6062) or by the floor.

#include "net/file_descriptor.hpp"
#include "options.hpp"

namespace turn::bench {

struct tcp_path {
    net::file_descriptor control{}; ///< the allocation lives as long as it does; none at the floor
    net::file_descriptor client{};  ///< what is said here
    net::file_descriptor peer{};    ///< is heard here, and the other way
};

/// Throws trouble: also when the server does not answer for `patience`.
tcp_path make_tcp_path(const load_options&);
inline constexpr std::chrono::seconds patience{20};

} // namespace turn::bench
