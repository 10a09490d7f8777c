#pragma once
/// Opens what clients come to: for every listener address a group of sockets, one per shard, and the steering that
/// keeps a client on one shard.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/stream_sockets.hpp"
#include "server/shard.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/server.hpp"

namespace turn {

/// One listener address, one transport, and its socket in each shard.
struct listener_group {
    transport_address local{}; ///< with its port
    std::string realm{};
    transport protocol = transport::udp;
    std::vector<socket_id> sockets{};        ///< UDP, DTLS: by shard; both may share them
    std::uint32_t number = 0;                ///< TCP, TLS (both may share one), DTLS: the same in every shard
    std::shared_ptr<net::tls_context> tls{}; ///< TLS and DTLS only; the same for both where the certificates are
};

/// Opens all listeners in all shards' sockets, whose streams are there if there is a listener for TCP or TLS, and
/// sessions if there is one for DTLS. 0.0.0.0
/// and :: become one group per interface address, so that answers leave from the address the request came to. What is
/// odd but no error goes to `warnings`.
result<std::vector<listener_group>, start_error> open_listeners(const server_options&, std::span<shard_sockets> shards,
                                                                std::vector<std::string>& warnings);

} // namespace turn
