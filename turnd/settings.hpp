#pragma once
/// Everything an operator can set, with its type: what the configuration comes down to.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/server.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

enum class auth_mode : std::uint8_t { credentials, none };
enum class log_level : std::uint8_t { debug, info, warning, error };
enum class log_format : std::uint8_t { text, json };
enum class log_addresses : std::uint8_t { plain, hashed };

/// One address and one transport: a [[listener]] table makes as many of them as it has transports.
struct listener_setting {
    turn::transport_address address{};
    turn::transport protocol{};
    std::string realm{}; ///< empty: settings::realm
    std::vector<turn::certificate_files>
        certificates{}; ///< TLS and DTLS, of its table; certificates_of() has the last word
    origin where{};     ///< of the address
};

struct user_setting {
    std::string name{};     ///< as OpaqueString (RFC 8489, 9.2.2)
    std::string password{}; ///< wiped once the keys are made
};

/// Defaults are not here but in the table of keys, where --help and the documentation find them.
struct settings {
    std::vector<listener_setting> listeners{};
    std::vector<std::string> certificate_files{}; ///< of flags or environment, for all TLS and DTLS listeners
    std::vector<std::string> key_files{};         ///< as many
    std::string realm{};

    auth_mode auth{};
    bool allow_anonymous_relay = false;
    std::vector<user_setting> users{};
    std::vector<std::string> rest_secrets{};
    std::string user_database{}; ///< empty: none
    bool username_anonymity = false;
    std::uint16_t integrity_failure_code = 0;
    std::chrono::seconds stale_nonce{};

    std::vector<turn::relay_address> relay_addresses{};
    std::uint16_t relay_port_min = 0;
    std::uint16_t relay_port_max = 0;
    bool tcp_relay = false;          ///< TCP allocations (RFC 6062)
    bool copy_traffic_class = false; ///< false: relayed datagrams leave without DSCP and ECN

    bool public_peers = true;
    std::vector<turn::address_prefix> allow_peers{};
    std::vector<turn::address_prefix> deny_peers{};

    std::size_t allocations_total = 0; ///< 0: as many as ports and descriptors allow
    /// Not set: no limit for users with a password, rest_allocation_limit for time-limited ones. 0: no limit at all.
    std::optional<std::size_t> allocations_per_user{};
    std::uint64_t bandwidth_per_allocation = 0; ///< bits per second, each direction; 0: no limit
    std::size_t permissions_per_allocation = 0;
    std::size_t channels_per_allocation = 0;
    std::size_t peer_connections_per_allocation = 0;
    std::size_t unauthenticated_bytes_per_second = 0;
    std::vector<turn::address_prefix> unauthenticated_exempt{};

    // What clients over TCP, TLS and DTLS may cost: turn::connection_limits
    std::size_t connections_without_allocation = 0;
    std::size_t connections_per_source = 0;
    std::chrono::seconds connection_idle_timeout{};
    std::chrono::seconds tls_handshake_timeout{};
    std::size_t client_queue_bytes = 0;
    std::chrono::milliseconds client_queue_age{};

    unsigned threads = 0; ///< 0: one per core
    turn::net::backend backend{};
    std::chrono::seconds drain_timeout{};
    std::string counters_file{}; ///< empty: none
    std::string admin_socket{};  ///< path; empty: none
    std::optional<turn::transport_address> status_listen{};
    turnd::log_level log_level{};
    turnd::log_format log_format{};
    turnd::log_addresses log_addresses{};

    /// Which layer had the last word on a key, by the key's name.
    std::map<std::string_view, origin> origins{};
};

/// What a user of time-limited credentials may have when allocations-per-user is not set: such credentials are given
/// to anybody who opens a page.
inline constexpr std::size_t rest_allocation_limit = 100;

} // namespace turnd
