#include "admin_metrics.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "counted_names.hpp"

namespace turnd {
namespace {

constexpr std::array transports{turn::transport::udp, turn::transport::tcp, turn::transport::tls,
                                turn::transport::dtls};
constexpr std::array connected{turn::transport::tcp, turn::transport::tls, turn::transport::dtls};
constexpr std::array<std::string_view, 2> families{"ipv4", "ipv6"};
using counted::directions;
using counted::methods;
using counted::results;

constexpr std::size_t at(turn::transport t) noexcept {
    return static_cast<std::size_t>(t);
}
constexpr std::size_t at(turn::reason why) noexcept {
    return static_cast<std::size_t>(why);
}

/// A family of one sample without labels.
template <class Value>
void single(metrics_writer& w, std::string_view name, std::string_view type, std::string_view help, Value value) {
    w.family(name, type, help);
    w.sample({}, value);
}

void allocations(metrics_writer& w, const admin_numbers& n) {
    const turn::relay_totals& relay = n.totals.relay;
    w.family("turnd_allocations", "gauge",
             "Relayed transport addresses now, by the client's transport and the address family. A dual allocation has "
             "two.");
    for (const auto t : transports)
        for (std::size_t f = 0; f < families.size(); ++f)
            w.sample({{"transport", turn::name(t)}, {"family", families[f]}}, relay.relayed_addresses[at(t)][f]);
    w.family("turnd_allocations_total", "counter",
             "Answered Allocate requests by the client's transport and the result. A challenge begins every session.");
    for (const auto t : transports)
        for (std::size_t r = 0; r < results.size(); ++r)
            w.sample({{"transport", turn::name(t)}, {"result", results[r]}}, relay.allocates[at(t)][r]);
    single(w, "turnd_clients", "gauge", "Client addresses that have an allocation now.",
           std::uint64_t{n.active_clients});
    single(w, "turnd_permissions", "gauge", "Permissions now.", relay.permissions);
    single(w, "turnd_channels", "gauge", "Channels now.", relay.channels);
    single(w, "turnd_capacity", "gauge", "Allocations there can be.", std::uint64_t{n.totals.capacity});
    single(w, "turnd_draining", "gauge", "1 while no new allocations are made because turnd is about to end.",
           std::uint64_t{n.draining ? 1U : 0U});

    const std::size_t ports = ports_of(n.description), used = n.totals.ports_in_use;
    w.family("turnd_ports", "gauge", "Relay ports by state: used and free now, and the most used at a time.");
    w.sample({{"state", "used"}}, std::uint64_t{used});
    w.sample({{"state", "free"}}, std::uint64_t{ports > used ? ports - used : 0});
    w.sample({{"state", "peak"}}, std::uint64_t{n.totals.ports_peak});
}

void relayed(metrics_writer& w, const turn::relay_totals& relay) {
    w.family("turnd_relay_packets_total", "counter",
             "Relayed datagrams of application data; up is from clients to peers.");
    for (std::size_t d = 0; d < relay.relayed.size(); ++d)
        w.sample({{"direction", directions[d]}}, relay.relayed[d].packets);
    w.family("turnd_relay_bytes_total", "counter", "Relayed application data; up is from clients to peers.");
    for (std::size_t d = 0; d < relay.relayed.size(); ++d)
        w.sample({{"direction", directions[d]}}, relay.relayed[d].bytes);
    w.family("turnd_received_packets_total", "counter", "Packets that reached the relay, by who sent them.");
    w.sample({{"from", "client"}}, relay.from_clients.packets);
    w.sample({{"from", "peer"}}, relay.from_peers.packets);
}

void refused_and_dropped(metrics_writer& w, const turn::server_totals& totals) {
    w.family("turnd_dropped_packets_total", "counter",
             "Packets that were dropped, by direction and reason; control is answers of this server.");
    for (std::size_t d = 0; d < directions.size(); ++d)
        for (std::size_t r = at(turn::reason::none) + 1; r < turn::reason_count; ++r) {
            const auto why = static_cast<turn::reason>(r);
            w.sample({{"direction", directions[d]}, {"reason", turn::name(why)}},
                     dropped(totals, static_cast<turn::direction>(d), why));
        }
    w.family("turnd_icmp_errors_total", "counter",
             "ICMP errors about what clients sent to peers: relayed to the client, or why not.");
    w.sample({{"result", "relayed"}}, totals.relay.icmp.relayed);
    for (const auto why :
         {turn::reason::icmp_type, turn::reason::no_permission, turn::reason::bandwidth, turn::reason::socket_closed})
        w.sample({{"result", turn::name(why)}}, totals.relay.icmp.dropped[at(why)]);
    w.family("turnd_requests_total", "counter", "Answered requests by method and result.");
    for (std::size_t m = 0; m < methods.size(); ++m)
        for (std::size_t r = 0; r < results.size(); ++r)
            w.sample({{"method", methods[m]}, {"result", results[r]}}, totals.relay.requests[m][r]);
    w.family("turnd_refused_total", "counter",
             "Requests answered with an error, by reason; first-challenge is none, it begins every session.");
    for (std::size_t r = at(turn::reason::none) + 1; r < turn::reason_count; ++r)
        w.sample({{"reason", turn::name(static_cast<turn::reason>(r))}}, totals.relay.refused[r]);
}

void connections(metrics_writer& w, const turn::stream_totals& books) {
    w.family("turnd_connections", "gauge", "Connections of clients now.");
    for (const auto t : connected) w.sample({{"transport", turn::name(t)}}, books.connections[at(t)]);
    w.family("turnd_accepted_connections_total", "counter", "Connections of clients, ever.");
    for (const auto t : connected) w.sample({{"transport", turn::name(t)}}, books.accepted[at(t)]);
    w.family("turnd_closed_connections_total", "counter", "Connections that this server ended, by reason.");
    for (std::size_t r = at(turn::reason::none) + 1; r < turn::reason_count; ++r)
        w.sample({{"reason", turn::name(static_cast<turn::reason>(r))}}, books.closed[r]);
    w.family("turnd_tls_handshakes_total", "counter", "TLS and DTLS handshakes by result.");
    w.sample({{"result", "success"}}, books.handshakes);
    w.sample({{"result", "failed"}}, books.closed[at(turn::reason::handshake_failed)]);
    w.sample({{"result", "timeout"}}, books.closed[at(turn::reason::handshake_timeout)]);
}

void dtls(metrics_writer& w, const turn::dtls_totals& books) {
    w.family("turnd_dtls_datagrams_total", "counter",
             "Datagrams for DTLS: of sessions, and ClientHellos answered with a cookie. Dropped ones are among the "
             "dropped packets.");
    w.sample({{"result", "session"}}, books.for_sessions);
    w.sample({{"result", "challenged"}}, books.challenged);
}

/// Of TCP allocations.
void peer_connections(metrics_writer& w, const turn::server_totals& totals) {
    const turn::relay_totals& relay = totals.relay;
    w.family("turnd_tcp_allocations", "gauge", "Allocations that relay TCP now; they are among turnd_allocations.");
    w.sample({}, relay.tcp_allocations);
    w.family("turnd_peer_connections", "gauge",
             "Connections between TCP relays and peers now: bound to a client's, or not yet.");
    w.sample({{"state", "bound"}}, relay.peer_connections_bound);
    w.sample({{"state", "unbound"}},
             relay.peer_connections - std::min(relay.peer_connections, relay.peer_connections_bound));
    w.family("turnd_peer_connections_total", "counter",
             "Connections between TCP relays and peers, ever; up were asked for by clients, down came from peers.");
    for (std::size_t d = 0; d < relay.peer_connections_made.size(); ++d)
        w.sample({{"direction", directions[d]}}, relay.peer_connections_made[d]);
    w.family("turnd_closed_peer_connections_total", "counter",
             "Connections with peers that were sent away, or that nobody bound in time, by reason.");
    for (std::size_t r = at(turn::reason::none) + 1; r < turn::reason_count; ++r)
        w.sample({{"reason", turn::name(static_cast<turn::reason>(r))}}, relay.peer_connections_closed[r]);
    w.family("turnd_tcp_relay_bytes_total", "counter",
             "Application data relayed over connections with peers, as it is relayed; up is from clients to peers.");
    for (std::size_t d = 0; d < totals.peers.relayed_bytes.size(); ++d)
        w.sample({{"direction", directions[d]}}, totals.peers.relayed_bytes[d]);
    w.family("turnd_tcp_relay_held_back_total", "counter",
             "Times that a connection of a TCP relay was not read until its allocation had bandwidth again.");
    for (std::size_t d = 0; d < totals.peers.held_back.size(); ++d)
        w.sample({{"direction", directions[d]}}, totals.peers.held_back[d]);
}

void kernel(metrics_writer& w, const turn::server_totals& totals) {
    w.family("turnd_kernel_drops_total", "counter",
             "Datagrams that the kernel dropped because a receive buffer was full.");
    w.sample({{"socket", "listener"}},
             totals.net.kernel_drops_of[static_cast<std::size_t>(turn::net::socket_role::listener)]);
    w.sample({{"socket", "relay"}},
             totals.net.kernel_drops_of[static_cast<std::size_t>(turn::net::socket_role::relay)]);
    w.family("turnd_system_calls_total", "counter", "Calls that moved packets or stream data, by kind.");
    w.sample({{"call", "receive"}}, totals.net.receive_calls + totals.streams.receive_calls);
    w.sample({{"call", "send"}}, totals.net.send_calls + totals.streams.send_calls);
}

/// `unit`: how many of the bounds' units make one of the metric's.
template <std::size_t Bounds>
void histogram(metrics_writer& w, const turn::histogram<std::uint64_t, Bounds>& h,
               const std::array<std::uint64_t, Bounds>& bounds, double unit) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < Bounds; ++i)
        w.sample({{"le", fmt::format("{}", static_cast<double>(bounds[i]) / unit)}}, below += h.counts[i], "_bucket");
    below += h.counts.back();
    w.sample({{"le", "+Inf"}}, below, "_bucket");
    w.sample({}, static_cast<double>(h.sum) / unit, "_sum");
    w.sample({}, below, "_count");
}

void shards(metrics_writer& w, const turn::shard_totals& books) {
    w.family("turnd_batch_size", "histogram", "Packets that a thread took at a time.");
    histogram(w, books.batches, turn::shard_totals::batch_bounds, 1);
    w.family("turnd_relay_latency_seconds", "histogram",
             "From when a batch had been received until all that came of it had been sent, of one batch in "
             "128. How long packets waited in the kernel is not in it.");
    histogram(w, books.latencies, turn::shard_totals::latency_bounds, 1e9);
}

void certificates(metrics_writer& w, const admin_numbers& n) {
    w.family("turnd_certificate_expiry_timestamp_seconds", "gauge",
             "When the first certificate in use at a TLS or DTLS listener ends, since unix epoch in seconds.");
    for (const auto& c : n.certificates)
        w.sample({{"listener", c.listener.to_string()}},
                 std::chrono::duration<double>(c.expires.time_since_epoch()).count());
}

void process(metrics_writer& w, const admin_numbers& n) {
    single(w, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
           n.process.cpu_seconds);
    single(w, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", n.process.resident_bytes);
    single(w, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", n.process.virtual_bytes);
    single(w, "process_open_fds", "gauge", "Number of open file descriptors.", n.process.open_descriptors);
    single(w, "process_max_fds", "gauge", "Maximum number of open file descriptors.", n.process.descriptor_limit);
    single(w, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
           static_cast<std::uint64_t>(
               std::chrono::duration_cast<std::chrono::seconds>(n.started.time_since_epoch()).count()));
    w.family("turnd_build_info", "gauge", "Always 1; the version is a label.");
    w.sample({{"version", n.version}}, std::uint64_t{1});
}

/// HELP has two escapes, a label's value one more.
void escape(std::string& to, std::string_view text, bool quotes) {
    for (const char c : text) {
        if (c == '\\')
            to += "\\\\";
        else if (c == '\n')
            to += "\\n";
        else if (c == '"' && quotes)
            to += "\\\"";
        else
            to += c;
    }
}

} // namespace

void metrics_writer::family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {} ", name);
    escape(text_, help, false);
    text_ += fmt::format("\n# TYPE {} {}\n", name, type);
}

void metrics_writer::begin_sample(labels of, std::string_view suffix) {
    text_ += name_;
    text_ += suffix;
    char separator = '{';
    for (const auto& [name, value] : of) {
        text_ += separator;
        text_ += name;
        text_ += "=\"";
        escape(text_, value, true);
        text_ += '"';
        separator = ',';
    }
    text_ += of.size() == 0 ? " " : "} ";
}

void metrics_writer::sample(labels of, double value, std::string_view suffix) {
    begin_sample(of, suffix);
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

void metrics_writer::sample(labels of, std::uint64_t value, std::string_view suffix) {
    begin_sample(of, suffix);
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

std::string metrics_text(const admin_numbers& n) {
    metrics_writer w;
    allocations(w, n);
    relayed(w, n.totals.relay);
    refused_and_dropped(w, n.totals);
    connections(w, n.totals.streams);
    dtls(w, n.totals.dtls);
    peer_connections(w, n.totals);
    kernel(w, n.totals);
    shards(w, n.totals.shards);
    certificates(w, n);
    process(w, n);
    return std::move(w).take();
}

} // namespace turnd
