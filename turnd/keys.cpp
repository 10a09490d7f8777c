#include "keys.hpp"

#include <algorithm>
#include <array>

#include "apply_value.hpp"

namespace turnd {
namespace {

using std::pair;
using std::string_view;

constexpr std::array auth_modes{pair<string_view, auth_mode>{"credentials", auth_mode::credentials},
                                pair<string_view, auth_mode>{"none", auth_mode::none}};
constexpr std::array peer_policies{pair<string_view, bool>{"public", true},
                                   pair<string_view, bool>{"allow-list", false}};
constexpr std::array traffic_classes{pair<string_view, bool>{"copy", true},
                                     pair<string_view, bool>{"best-effort", false}};
constexpr std::array backends{pair<string_view, turn::net::backend>{"auto", turn::net::backend::automatic},
                              pair<string_view, turn::net::backend>{"sockets", turn::net::backend::sockets}};
constexpr std::array failure_codes{pair<string_view, std::uint16_t>{"401", std::uint16_t{401}},
                                   pair<string_view, std::uint16_t>{"431", std::uint16_t{431}}};
constexpr std::array log_levels{pair<string_view, log_level>{"debug", log_level::debug},
                                pair<string_view, log_level>{"info", log_level::info},
                                pair<string_view, log_level>{"warning", log_level::warning},
                                pair<string_view, log_level>{"error", log_level::error}};
constexpr std::array log_formats{pair<string_view, log_format>{"text", log_format::text},
                                 pair<string_view, log_format>{"json", log_format::json}};
constexpr std::array address_forms{pair<string_view, log_addresses>{"plain", log_addresses::plain},
                                   pair<string_view, log_addresses>{"hashed", log_addresses::hashed}};

constexpr std::uint64_t most = 100'000'000; ///< allocations anybody could mean; larger numbers are slips

/// The file is read before anything is applied: by load_configuration().
void apply_nothing(const key&, std::span<const raw_value>, settings&, problem_list&) {}

// clang-format off
constexpr std::array table{
    key{"config", "", toml_form::text, "FILE", "", "Configuration",
        "TOML file to read (default: /etc/turnd/turnd.toml when it exists)", "", "", apply_nothing},

    key{"listen", "listener", toml_form::listener_tables, "ADDR:PORT", "0.0.0.0:3478 [::]:3478", "Listeners",
        "Serve STUN and TURN over UDP and TCP on this address; port 0: any", "[[listener]] with address = \"0.0.0.0:3478\"", "", apply_listeners},
    key{"tls-listen", "listener.transports", toml_form::listener_member, "ADDR:PORT", "", "Listeners",
        "Serve STUN and TURN over TLS and DTLS on this address; needs cert and key", "[\"udp\", \"tcp\"]", "", apply_tls_listeners},
    key{"cert", "listener.certificate", toml_form::listener_member, "FILE", "", "Listeners",
        "Certificate chain (PEM) of the TLS and DTLS listeners; of several, clients get the one they name, or the first",
        "\"/etc/turnd/fullchain.pem\"", "", apply_files<&settings::certificate_files>},
    key{"key", "listener.key", toml_form::listener_member, "FILE", "", "Listeners",
        "Private key (PEM) of the certificate; one for each cert, in the same order", "\"/etc/turnd/key.pem\"", "",
        apply_files<&settings::key_files>},
    key{"realm", "realm", toml_form::text, "NAME", "", "Listeners",
        "Realm of the credentials; required as soon as there are any", "\"example.org\"", "",
        apply_one<&settings::realm, parse_realm>},

    key{"auth", "auth", toml_form::text, "MODE", "credentials", "Credentials",
        "credentials, or none: STUN only, unless allow-anonymous-relay is set", "\"credentials\"", "",
        apply_choice<&settings::auth, auth_modes>},
    key{"allow-anonymous-relay", "allow-anonymous-relay", toml_form::boolean, "", "false", "Credentials",
        "Relay for everybody, without credentials: on closed networks only", "false", "",
        apply_one<&settings::allow_anonymous_relay, parse_switch>},
    key{"user", "auth.users", toml_form::text_list, "NAME:PASSWORD", "", "Credentials",
        "A user; for trying out: flags are visible in the process list", "[\"ann:a long password\"]", "user", apply_users},
    key{"rest-secret-file", "auth.rest-secret-files", toml_form::text_list, "FILE", "", "Credentials",
        "Shared secrets of time-limited credentials, one a line", "[\"/etc/turnd/rest-secret\"]", "rest-secret", apply_rest_secrets},
    key{"user-database", "auth.user-database", toml_form::text, "FILE", "", "Credentials",
        "Users with a password, in a database that `turnctl user` writes", "\"/var/lib/turnd/users.db\"", "",
        apply_place<&settings::user_database>},
    key{"username-anonymity", "auth.username-anonymity", toml_form::boolean, "", "false", "Credentials",
        "Ask clients of RFC 8489 for a hash in place of the user's name; not with shared secrets", "false", "",
        apply_one<&settings::username_anonymity, parse_switch>},
    key{"integrity-failure-code", "auth.integrity-failure-code", toml_form::integer, "401|431", "401", "Credentials",
        "Answer to a wrong password and to an unknown user", "401", "",
        apply_choice<&settings::integrity_failure_code, failure_codes>},
    key{"stale-nonce", "auth.stale-nonce", toml_form::text, "DURATION", "1h", "Credentials",
        "How long a nonce is good for", "\"1h\"", "", apply_duration<&settings::stale_nonce, 10, 86400>},

    key{"relay-address", "relay.addresses", toml_form::relay_list, "ADDR[=ADVERTISED]", "", "Relaying",
        "Where relays are bound, and what clients are told (default: source address of the default route)",
        "[{ bind = \"192.0.2.1\" }]", "", apply_relay_addresses},
    key{"relay-ports", "relay.ports", toml_form::text, "MIN-MAX", "49152-65535", "Relaying",
        "Ports of relayed transport addresses", "\"49152-65535\"", "", apply_relay_ports},
    key{"tcp-relay", "relay.tcp", toml_form::boolean, "", "false", "Relaying",
        "TCP allocations, too, for clients over TCP and TLS (RFC 6062)", "false", "",
        apply_one<&settings::tcp_relay, parse_switch>},
    key{"traffic-class", "relay.traffic-class", toml_form::text, "copy|best-effort", "best-effort", "Relaying",
        "DSCP and ECN of relayed datagrams: those they came with, or none", "\"best-effort\"", "",
        apply_choice<&settings::copy_traffic_class, traffic_classes>},

    key{"peer-policy", "peers.policy", toml_form::text, "public|allow-list", "public", "Peers",
        "public: every public address; allow-list: only what is allowed by name", "\"public\"", "",
        apply_choice<&settings::public_peers, peer_policies>},
    key{"allow-peer", "peers.allow", toml_form::text_list, "CIDR", "", "Peers",
        "Peers that may be reached although they are private, loopback, ...", "[\"192.0.2.0/24\"]", "",
        apply_prefixes<&settings::allow_peers>},
    key{"deny-peer", "peers.deny", toml_form::text_list, "CIDR", "", "Peers",
        "Peers that may not be reached; beats allow-peer", "[\"192.0.2.0/24\"]", "",
        apply_prefixes<&settings::deny_peers>},

    key{"allocations-total", "limits.allocations-total", toml_form::integer, "N", "0", "Limits",
        "Allocations at a time; 0: as ports and descriptors allow, at most 100000", "100000", "",
        apply_number<&settings::allocations_total, 0, most>},
    key{"allocations-per-user", "limits.allocations-per-user", toml_form::integer, "N", "", "Limits",
        "0: no limit (default: 100 for time-limited credentials, else no limit)", "0", "",
        apply_number<&settings::allocations_per_user, 0, most>},
    key{"bandwidth-per-allocation", "limits.bandwidth-per-allocation", toml_form::text, "BITS", "0", "Limits",
        "Bits per second of relayed data, each direction; k, M and G are powers of 1000; 0: no limit", "\"10M\"", "",
        apply_one<&settings::bandwidth_per_allocation, parse_bandwidth>},
    key{"permissions-per-allocation", "limits.permissions-per-allocation", toml_form::integer, "N", "64", "Limits",
        "Permissions of one allocation", "64", "", apply_number<&settings::permissions_per_allocation, 1, 65536>},
    key{"channels-per-allocation", "limits.channels-per-allocation", toml_form::integer, "N", "64", "Limits",
        "Channels of one allocation", "64", "", apply_number<&settings::channels_per_allocation, 1, 16384>},
    key{"peer-connections-per-allocation", "limits.peer-connections-per-allocation", toml_form::integer, "N", "64", "Limits",
        "Connections of one TCP allocation with its peers", "64", "",
        apply_number<&settings::peer_connections_per_allocation, 1, 16384>},
    key{"unauthenticated-bytes-per-second", "limits.unauthenticated-bytes-per-second", toml_form::integer, "N", "1048576",
        "Limits", "Answers to one /24 or /56 whose address is unproven; 0: no limit", "1048576", "",
        apply_number<&settings::unauthenticated_bytes_per_second, 0, 1'000'000'000'000>},
    key{"unauthenticated-exempt", "limits.unauthenticated-exempt", toml_form::text_list, "CIDR", "", "Limits",
        "Prefixes outside that budget", "[\"192.0.2.0/24\"]", "", apply_prefixes<&settings::unauthenticated_exempt>},

    key{"connections-without-allocation", "limits.connections-without-allocation", toml_form::integer, "N", "4096", "Limits",
        "TCP, TLS and DTLS connections without an allocation at a time, unfinished handshakes too", "4096", "",
        apply_number<&settings::connections_without_allocation, 1, most>},
    key{"connections-per-source", "limits.connections-per-source", toml_form::integer, "N", "256", "Limits",
        "Of those, from one IPv4 address or IPv6 /64", "256", "", apply_number<&settings::connections_per_source, 1, most>},
    key{"connection-idle-timeout", "limits.connection-idle-timeout", toml_form::text, "DURATION", "30s", "Limits",
        "How long a connection without an allocation may say nothing", "\"30s\"", "",
        apply_duration<&settings::connection_idle_timeout, 1, 86400>},
    key{"tls-handshake-timeout", "limits.tls-handshake-timeout", toml_form::text, "DURATION", "10s", "Limits",
        "How long a TLS or DTLS handshake and the first message may take", "\"10s\"", "",
        apply_duration<&settings::tls_handshake_timeout, 1, 3600>},
    key{"client-queue-bytes", "limits.client-queue-bytes", toml_form::integer, "N", "524288", "Limits",
        "What may wait for one slow client over TCP or TLS; then its oldest media is dropped", "524288", "",
        apply_number<&settings::client_queue_bytes, 65'536, 1'073'741'824>},
    key{"client-queue-age", "limits.client-queue-age", toml_form::text, "DURATION", "2s", "Limits",
        "Media that waited longer for such a client is dropped", "\"2s\"", "",
        apply_short_duration<&settings::client_queue_age, 10, 60'000>},

    key{"threads", "threads", toml_form::integer, "N", "0", "Process",
        "Threads that relay; 0: one per core", "2", "", apply_number<&settings::threads, 0, 1024>},
    key{"backend", "backend", toml_form::text, "auto|sockets", "auto", "Process",
        "How packets reach the kernel", "\"auto\"", "", apply_choice<&settings::backend, backends>},
    key{"drain-timeout", "drain-timeout", toml_form::text, "DURATION", "10s", "Process",
        "How long allocations may live on after SIGTERM", "\"10s\"", "", apply_duration<&settings::drain_timeout, 0, 86400>},
    key{"counters-file", "counters-file", toml_form::text, "FILE", "", "Process",
        "Write all counters to it as one JSON line, at the end and on SIGUSR1", "\"/run/turnd/counters.json\"", "",
        apply_place<&settings::counters_file>},
    key{"admin-socket", "admin.socket", toml_form::text, "PATH", "/run/turnd/turnd.sock", "Process",
        "Unix socket for turnctl, HTTP, read and write by file permission; \"\": none (default: if its folder exists)",
        "\"/run/turnd/turnd.sock\"", "", apply_one<&settings::admin_socket, parse_socket_path>},
    key{"status-listen", "admin.status-listen", toml_form::text, "ADDR:PORT", "", "Process",
        "Show status page, metrics and health by HTTP, read only (default: nowhere)", "\"127.0.0.1:9641\"", "",
        apply_one<&settings::status_listen, parse_listen_address>},
    key{"log-level", "log.level", toml_form::text, "LEVEL", "info", "Process",
        "debug, info, warning or error", "\"info\"", "", apply_choice<&settings::log_level, log_levels>},
    key{"log-format", "log.format", toml_form::text, "text|json", "text", "Process",
        "Lines for people or for machines", "\"text\"", "", apply_choice<&settings::log_format, log_formats>},
    key{"log-addresses", "log.addresses", toml_form::text, "plain|hashed", "plain", "Process",
        "hashed: clients and peers appear in the log under names that last until the next start", "\"plain\"", "",
        apply_choice<&settings::log_addresses, address_forms>},
};
// clang-format on

} // namespace

std::span<const key> all_keys() noexcept {
    return table;
}

const key* find_key(std::string_view name) noexcept {
    const auto at = std::find_if(table.begin(), table.end(), [&](const key& k) { return k.name == name; });
    return at == table.end() ? nullptr : &*at;
}

const key* find_key_by_path(std::string_view path) noexcept {
    const auto at =
        std::find_if(table.begin(), table.end(), [&](const key& k) { return !k.path.empty() && k.path == path; });
    return at == table.end() ? nullptr : &*at;
}

std::string key::environment() const {
    return environment_name(name);
}

std::string environment_name(std::string_view name) {
    std::string variable = "TURND_";
    for (const char c : name)
        variable.push_back(c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    return variable;
}

} // namespace turnd
