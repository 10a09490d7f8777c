#include "turn/server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <initializer_list>
#include <sched.h>
#include <system_error>

#include "net/interfaces.hpp"
#include "server/allocation_search.hpp"
#include "server/capacity.hpp"
#include "server/certificate_watch.hpp"
#include "server/listeners.hpp"
#include "server/relay_places.hpp"
#include "server/shard.hpp"
#include "server/shared.hpp"
#include "server/totals.hpp"

namespace turn {

namespace {

constexpr unsigned most_threads = 256;
static_assert(most_threads <= 1U << (32 - connection_shard_shift)); // a CONNECTION-ID names its shard
/// Descriptors of a shard beside its sockets: an epoll set, a bell and an alarm clock.
constexpr std::size_t descriptors_per_shard = 3;
/// How long an application waits for shards that do not answer.
constexpr std::chrono::seconds patience_with_shards{1};
constexpr std::size_t longest_realm = 509; ///< bytes, RFC 8489, 14.9
/// With it a challenge is just three times the usual 28-byte Allocate over IPv4, headers included.
constexpr std::size_t longest_thrifty_realm = 72;

/// Cores this process may run on, which in a container are fewer than the machine has.
unsigned usable_cores() noexcept {
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&cores)));
}

/// What start() and reconfigure() have in common.
std::optional<start_error> check_live(const server_options& o) {
    if (o.relay.integrity_failure_code != 401 && o.relay.integrity_failure_code != 431)
        return start_error{"integrity-failure-code: 401 or 431", 0};
    return std::nullopt;
}

std::optional<start_error> check(const server_options& o) {
    if (o.listeners.empty()) return start_error{"no listener: name at least one address of this machine", 0};
    if (o.threads > most_threads) return start_error{"threads: at most " + std::to_string(most_threads), 0};
    if (auto error = check_live(o)) return error;
    for (const auto& l : o.listeners) {
        const auto& realm = l.realm.empty() ? o.realm : l.realm;
        if (realm.size() > longest_realm)
            return start_error{"realm: longer than " + std::to_string(longest_realm) + " bytes", 0};
        if (is_secure(l.protocol) && l.certificates.empty())
            return start_error{"listener " + l.local.to_string() + ": TLS needs a certificate and its key", 0};
        if (realm.empty() && o.relay.relaying && !o.relay.anonymous)
            return start_error{"listener " + l.local.to_string() + ": no realm; credentials need one", 0};
    }
    if (o.relay.relaying && (o.relay_port_min == 0 || o.relay_port_min > o.relay_port_max))
        return start_error{"relay-ports " + std::to_string(o.relay_port_min) + "-" + std::to_string(o.relay_port_max) +
                               ": not a range",
                           0};
    return std::nullopt;
}

/// A prefix's clients spread over all shards, so each shard has a part of its budget; but enough for one answer.
std::size_t part_of_budget(std::size_t bytes_per_second, std::size_t shards) noexcept {
    const std::size_t part = (bytes_per_second + shards - 1) / shards;
    return std::max(part, std::min(bytes_per_second, outbox::largest_answer));
}

net::stream_options stream_options_of(const connection_limits& limits, bool tcp_relay) noexcept {
    return {limits.idle, limits.handshake, {.bytes = limits.queue_bytes, .age = limits.queue_age}, tcp_relay};
}

} // namespace

struct server::impl {
    server_description description{};
    capacity_inputs what_bounds_it{}; ///< as they were at the start; unless relaying is off
    std::optional<shared_state> shared{};
    std::optional<net::connection_budget> connections{};
    bool tcp_relay = false;                       ///< and somebody could ask for it
    std::vector<std::unique_ptr<shard>> shards{}; ///< behind what they share, which outlives them
    std::unique_ptr<certificate_watch> certificates{};

    ~impl() {
        for (const auto& s : shards) s->stop(); // all at once
        for (const auto& s : shards) s->join(); // before the first is gone: connections move between them
    }

    std::optional<start_error> set_up(server_options);
    std::optional<start_error> find_relays(const server_options&, net::packet_io&);
    std::optional<start_error> make_sockets(const server_options&, std::vector<shard_sockets>&);
    void start_shards(const server_options&, std::vector<shard_sockets>, const std::vector<listener_group>&);
    /// The shard that gave out this id, if any did.
    [[nodiscard]] shard& shard_of(allocation_id id) const noexcept {
        return *shards[(static_cast<std::uint64_t>(id) - 1) % shards.size()];
    }
    relay_options options_of_a_shard(const relay_options&, std::size_t capacity) const;
};

std::optional<start_error> server::impl::set_up(server_options options) {
    if (auto error = check(options)) return error;
    const unsigned count = options.threads != 0 ? options.threads : usable_cores();
    description.shards = count;
    description.descriptor_limit = net::raise_descriptor_limit();

    std::vector<shard_sockets> sockets(count);
    if (auto error = make_sockets(options, sockets)) return error;

    for (const auto& l : options.listeners)
        if ((l.realm.empty() ? options.realm : l.realm).size() > longest_thrifty_realm)
            description.warnings.push_back("realm of listener " + l.local.to_string() + ": longer than " +
                                           std::to_string(longest_thrifty_realm) +
                                           " bytes; answers to strangers are more than three times their requests");
    const auto groups = open_listeners(options, sockets, description.warnings);
    if (!groups) return groups.error();
    for (const auto& group : *groups) description.listeners.push_back({group.local, group.protocol, group.realm});
    if (options.relay.relaying)
        if (auto error = find_relays(options, *sockets.front().datagrams)) return error;

    shared.emplace(allocation_quota::limits{description.capacity, options.allocations_per_user},
                   std::clamp<std::size_t>(description.capacity / 8, 16, 1024));
    shared->credentials = std::move(options.credentials);
    shared->events = options.events;
    for (const auto& place : description.relays)
        shared->places.push_back(std::make_unique<relay_place>(place.bind, place.advertised, options.relay_port_min,
                                                               options.relay_port_max, shared->ports));

    start_shards(options, std::move(sockets), *groups);
    return std::nullopt;
}

std::optional<start_error> server::impl::make_sockets(const server_options& options,
                                                      std::vector<shard_sockets>& sockets) {
    const connection_limits& limits = options.connections;
    connections.emplace(limits.without_allocation, limits.per_source);
    const auto has = [&](std::initializer_list<transport> any_of_them) {
        return std::ranges::any_of(options.listeners, [&](const listener& l) {
            return std::ranges::find(any_of_them, l.protocol) != any_of_them.end();
        });
    };
    const bool streams = has({transport::tcp, transport::tls}), dtls = has({transport::dtls});
    for (auto& of_shard : sockets) {
        auto io = net::make_packet_io(options.io);
        if (!io) return start_error{"backend: this kernel or this build lacks it", 0};
        of_shard.datagrams = std::move(*io);
        if (dtls)
            of_shard.dtls = std::make_unique<net::dtls_sessions>(
                net::dtls_options{.idle = limits.idle, .handshake = limits.handshake}, *connections,
                *of_shard.datagrams);
        if (!streams) continue;
        tcp_relay = options.relay.relaying && options.relay.tcp_relay;
        auto made = net::stream_sockets::make(stream_options_of(limits, tcp_relay), *connections,
                                              of_shard.datagrams->shared_set());
        if (!made) return start_error{"connections: " + std::generic_category().message(errno), errno};
        of_shard.streams = std::move(*made);
        if (!tcp_relay) continue;
        auto peers = net::peer_connections::make({.bandwidth_per_allocation = options.relay.bandwidth_per_allocation});
        if (!peers) return start_error{"connections with peers: " + std::generic_category().message(errno), errno};
        of_shard.peers = std::move(*peers);
    }
    description.kernel = sockets.front().datagrams->what_works();
    return std::nullopt;
}

void server::impl::start_shards(const server_options& options, std::vector<shard_sockets> sockets,
                                const std::vector<listener_group>& groups) {
    const auto count = static_cast<unsigned>(sockets.size());
    const auto relay = options_of_a_shard(options.relay, description.capacity);
    for (unsigned i = 0; i < count; ++i) {
        shards.push_back(std::make_unique<shard>(i, count, *shared, std::move(sockets[i]), relay));
        for (const auto& group : groups) {
            const listener_options listener{group.local, group.realm, group.protocol};
            if (group.protocol == transport::udp)
                shards[i]->add_listener(group.sockets[i], listener);
            else if (group.protocol == transport::dtls)
                shards[i]->add_dtls_listener(group.number, listener);
            else
                shards[i]->add_stream_listener(group.number, listener);
        }
    }
    std::vector<certificate_watch::watched> watched;
    for (const auto& group : groups) {
        const auto same = [&](const auto& w) { return w.context == group.tls; }; // a wildcard's are one
        if (group.tls && std::none_of(watched.begin(), watched.end(), same))
            watched.push_back({group.local, group.tls});
    }
    certificates = std::make_unique<certificate_watch>(std::move(watched), options.certificate_check, options.events);
    for (const auto& s : shards) shared->shards.push_back(s.get());
    for (const auto& s : shards) s->start();
}

std::optional<start_error> server::impl::find_relays(const server_options& options, net::packet_io& probe) {
    auto places = find_relay_places(options, probe, description.warnings);
    if (!places) return places.error();
    description.relays = std::move(*places);
    description.relay_port_min = options.relay_port_min;
    description.relay_port_max = options.relay_port_max;

    what_bounds_it = {.wanted = options.allocations_total,
                      .port_min = options.relay_port_min,
                      .port_max = options.relay_port_max,
                      .relay_addresses = description.relays.size(),
                      .descriptor_limit = description.descriptor_limit,
                      .descriptors_in_use = open_descriptors() + description.shards * descriptors_per_shard};
    const auto found = find_capacity(what_bounds_it, description.warnings);
    if (!found) return found.error();
    description.capacity = found->allocations;
    description.capacity_bound_by = found->bound_by;
    return std::nullopt;
}

relay_options server::impl::options_of_a_shard(const relay_options& options, std::size_t capacity) const {
    relay_options o = options;
    o.tcp_relay = tcp_relay;
    o.max_allocations = capacity; // the quota, which all shards share, enforces the sum
    o.unauthenticated_bytes_per_second = part_of_budget(o.unauthenticated_bytes_per_second, description.shards);
    for (const auto& l : description.listeners) o.peers.own_services.push_back(l.local);
    for (const auto& place : description.relays) {
        o.peers.own_relays.push_back(place.bind);
        if (place.advertised != place.bind) o.peers.own_relays.push_back(place.advertised);
    }
    o.peers.relay_port_min = description.relay_port_min;
    o.peers.relay_port_max = description.relay_port_max;
    return o;
}

result<void, start_error> server::reconfigure(const server_options& wanted) {
    if (auto error = check_live(wanted)) return *error;
    capacity allowed{impl_->description.capacity, {}};
    if (impl_->what_bounds_it.relay_addresses != 0) {
        capacity_inputs inputs = impl_->what_bounds_it;
        inputs.wanted = wanted.allocations_total;
        std::vector<std::string> warnings; // the same as at the start
        const auto found = find_capacity(inputs, warnings);
        if (!found) return found.error();
        allowed = *found;
    }
    impl_->shared->quota.set_limits({allowed.allocations, wanted.allocations_per_user});
    impl_->connections->set_limits(wanted.connections.without_allocation, wanted.connections.per_source);

    const auto relay =
        std::make_shared<const relay_options>(impl_->options_of_a_shard(wanted.relay, allowed.allocations));
    const auto all = std::make_shared<errand>(impl_->shards.size());
    for (const auto& s : impl_->shards)
        s->reconfigure(relay, stream_options_of(wanted.connections, impl_->tcp_relay),
                       std::make_shared<errand::part>(all));
    all->wait(patience_with_shards);
    return {};
}

result<server, start_error> server::start(server_options options) try {
    auto made = std::make_unique<impl>();
    if (auto error = made->set_up(std::move(options))) return *error;
    return server(std::move(made));
} catch (const std::system_error& e) { // no thread, no event loop
    return start_error{e.what(), e.code().value()};
} catch (const std::exception& e) { // no memory
    return start_error{e.what(), 0};
}

server::server(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}
server::~server() = default;
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;

void server::stop_accepting() {
    for (const auto& s : impl_->shards) s->stop_accepting();
}

void server::end_allocations_of(std::string_view realm, std::string_view username) {
    for (const auto& s : impl_->shards) s->end_allocations_of(std::string(realm), std::string(username));
}

bool server::end_allocation(allocation_id id) {
    const auto search = std::make_shared<allocation_search>(allocation_filter{.id = id}, 1, 1);
    impl_->shard_of(id).end_allocation(id, std::make_shared<allocation_search::part>(search));
    search->wait(patience_with_shards);
    return search->ended();
}

std::vector<allocation_report> server::allocations(const allocation_filter& filter, std::size_t most) const {
    const auto& shards = impl_->shards;
    const auto search = std::make_shared<allocation_search>(filter, most, shards.size());
    for (const auto& s : shards) s->search(std::make_shared<allocation_search::part>(search));
    search->wait(patience_with_shards);
    return search->take();
}

std::optional<allocation_report> server::allocation(allocation_id id) const {
    const auto search = std::make_shared<allocation_search>(allocation_filter{.id = id}, 1, 1);
    impl_->shard_of(id).search(std::make_shared<allocation_search::part>(search));
    search->wait(patience_with_shards);
    auto found = search->take();
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

void server::stop() {
    for (const auto& s : impl_->shards) s->stop(); // all at once
    for (const auto& s : impl_->shards) s->join();
    impl_->shared->held.retire(time_point::max());
}

bool server::alive() {
    bool all = true;
    for (const auto& s : impl_->shards) all = s->answers() && all;
    return all;
}

std::size_t server::allocation_count() const {
    std::size_t sum = 0;
    for (const auto& s : impl_->shards) sum += static_cast<std::size_t>(s->relay_numbers().allocations.value());
    return sum;
}

std::vector<std::string> server::reload_certificates() {
    return impl_->certificates->look();
}

std::vector<server::certificate_expiry> server::certificate_expiries() const {
    std::vector<certificate_expiry> all;
    for (const auto& [listener, ends] : impl_->certificates->expiries())
        all.push_back({listener, std::chrono::system_clock::from_time_t(static_cast<std::time_t>(ends))});
    return all;
}

server_totals server::totals() const {
    server_totals t;
    for (const auto& s : impl_->shards) {
        add(t.relay_by_shard.emplace_back(), s->relay_numbers());
        add(t.net_by_shard.emplace_back(), s->net_numbers());
        add(t.relay, t.relay_by_shard.back());
        add(t.shards, s->numbers());
        add(t.net, t.net_by_shard.back());
        stream_totals& connections = t.streams_by_shard.emplace_back();
        if (const auto* streams = s->stream_numbers()) add(connections, *streams);
        if (const auto* sessions = s->session_numbers()) add(connections, *sessions);
        dtls_totals& dtls = t.dtls_by_shard.emplace_back();
        if (const auto* datagrams = s->dtls_numbers()) add(dtls, *datagrams);
        if (const auto* peers = s->peer_numbers()) add(t.peers_by_shard.emplace_back(), *peers);
    }
    for (const auto& connections : t.streams_by_shard) add(t.streams, connections);
    for (const auto& dtls : t.dtls_by_shard) add(t.dtls, dtls);
    for (const auto& peers : t.peers_by_shard) add(t.peers, peers);
    t.ports_in_use = impl_->shared->ports.in_use();
    t.ports_peak = impl_->shared->ports.peak();
    t.quota_in_use = impl_->shared->quota.in_use();
    t.capacity = impl_->shared->quota.allowed().total;
    t.reservations = impl_->shared->held.size();
    return t;
}

const server_description& server::description() const {
    return impl_->description;
}

} // namespace turn
