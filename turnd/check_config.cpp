#include "check_config.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <sys/resource.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace turnd {
namespace {

using turn::transport_address;

constexpr std::chrono::days soon{14};           ///< what a renewal that fails leaves to find out why
constexpr std::size_t usual_capacity = 100'000; ///< of a server without allocations-total

origin origin_of(std::string_view key, const configuration& c) {
    const auto at = c.settings.origins.find(key);
    return at == c.settings.origins.end() ? origin{origin::layer::built_in, "default", 0, std::string(key)}
                                          : at->second;
}

bool in_any(const transport_address& address, std::span<const std::string_view> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view text) {
        const auto prefix = turn::address_prefix::parse(text);
        return prefix && prefix->contains(address);
    });
}

constexpr std::array<std::string_view, 2> loopback{"127.0.0.0/8", "::1/128"};
constexpr std::array<std::string_view, 7> nowhere{"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
                                                  "::/128",    "fe80::/10",      "ff00::/8"};
constexpr std::array<std::string_view, 4> documentation{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
                                                        "2001:db8::/32"};
constexpr std::array<std::string_view, 5> closed_networks{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                                          "100.64.0.0/10", "fc00::/7"};

void check_certificate(const listener_setting& l, const turn::certificate_files& files, std::string_view name,
                       std::chrono::system_clock::time_point now, configuration& c) {
    const auto found = turn::inspect_certificate(files, name);
    const bool of_flags = !c.settings.certificate_files.empty();
    const origin where = of_flags ? origin_of("cert", c) : l.where;
    if (!found) {
        c.problems.push_back({where, files.chain, {found.error(), "correct the files"}});
        return;
    }
    const auto day = [](std::chrono::sys_seconds t) {
        return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::chrono::system_clock::to_time_t(t)));
    };
    std::string names;
    for (const std::string& one : found->names) names += (names.empty() ? "" : ", ") + one;
    if (names.empty())
        c.problems.push_back(
            {where, files.chain, {"it is for no name: it has no subjectAltName", "order one that names this server"}});
    else if (!name.empty() && !found->is_for_name)
        c.problems.push_back(
            {where,
             files.chain,
             {fmt::format("it is not for {}, but for {}", name, names), "order one for the name that clients use"}});
    if (found->ends <= now)
        c.problems.push_back({where, files.chain, {fmt::format("it expired on {}", day(found->ends)), "renew it"}});
    else if (found->begins > now)
        c.problems.push_back(
            {where, files.chain, {fmt::format("it is good from {} on only", day(found->begins)), "look at the clock"}});
    else if (found->ends - now < soon)
        c.warnings.push_back(fmt::format("{}: expires on {}; is it renewed?", files.chain, day(found->ends)));
    if (!found->chain_fault.empty())
        c.warnings.push_back(fmt::format("{}: {}: clients that do not know its authority refuse it; the file has to "
                                         "hold the intermediate certificates as well (fullchain.pem)",
                                         files.chain, found->chain_fault));
}

void check_certificates(std::string_view name, std::chrono::system_clock::time_point now, configuration& c) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const listener_setting& l : c.settings.listeners) {
        if (!is_secure(l.protocol)) continue;
        for (const turn::certificate_files& files : certificates_of(l, c.settings))
            if (seen.emplace(files.chain, files.key).second) check_certificate(l, files, name, now, c);
    }
}

/// Whether sockets of both would meet: the same address, or one of them on all addresses of the family.
bool overlap(const transport_address& a, const transport_address& b) {
    return a.family == b.family && (a.same_ip(b) || a.is_unspecified() || b.is_unspecified());
}

void check_ports(configuration& c) {
    const settings& s = c.settings;
    for (const listener_setting& l : s.listeners) {
        const bool udp = is_datagram(l.protocol);
        if (!udp && s.status_listen && l.address.port != 0 && s.status_listen->port == l.address.port &&
            overlap(l.address, *s.status_listen))
            c.problems.push_back(
                {origin_of("status-listen", c),
                 s.status_listen->to_string(),
                 {fmt::format("the {} listener {} is there", turn::name(l.protocol), l.address.to_string()),
                  "choose another port"}});
        const bool in_range = l.address.port >= s.relay_port_min && l.address.port <= s.relay_port_max;
        const bool meets =
            s.relay_addresses.empty() || std::any_of(s.relay_addresses.begin(), s.relay_addresses.end(),
                                                     [&](const auto& r) { return overlap(l.address, r.bind); });
        if (udp && in_range && meets)
            c.warnings.push_back(
                fmt::format("listener {} is among the relay ports {}-{} of the same address; choose a port "
                            "outside of them",
                            l.address.to_string(), s.relay_port_min, s.relay_port_max));
    }
}

void check_advertised(const turn::relay_address& r, configuration& c) {
    const auto where = origin_of("relay-address", c);
    const std::string text = r.bind.ip_to_string() + (r.advertised ? "=" + r.advertised->ip_to_string() : "");
    const transport_address told = r.advertised.value_or(r.bind);
    const auto complain = [&](std::string what, std::string remedy) {
        c.problems.push_back({where, text, {std::move(what), std::move(remedy)}});
    };
    if (in_any(told, nowhere))
        complain("no peer can send to the address that clients are told",
                 "give this server's address as peers see it: ADDR=ADVERTISED behind a static NAT");
    else if (in_any(told, loopback) && !in_any(r.bind, loopback))
        complain("clients are told a loopback address, which is their own",
                 "advertise the address that peers can reach");
    else if (in_any(told, documentation))
        c.warnings.push_back(fmt::format("relay address {}: addresses for documentation are routed nowhere", text));
    else if (r.advertised && in_any(told, closed_networks) && !in_any(r.bind, closed_networks) &&
             !in_any(r.bind, loopback))
        c.warnings.push_back(fmt::format("relay address {}: bound to a public address, and clients are told a private "
                                         "one; is it the other way round?",
                                         text));
}

void check_capacity(const machine& m, configuration& c) {
    const settings& s = c.settings;
    const std::size_t ports = std::size_t{s.relay_port_max} - s.relay_port_min + 1;
    if (!s.relay_addresses.empty() && s.allocations_total > ports * s.relay_addresses.size())
        c.problems.push_back(
            {origin_of("allocations-total", c),
             std::to_string(s.allocations_total),
             {fmt::format("the relay ports {}-{} on {} address{} are fewer", s.relay_port_min, s.relay_port_max,
                          s.relay_addresses.size(), s.relay_addresses.size() == 1 ? "" : "es"),
              "widen relay-ports, add a relay address, or lower the limit"}});
    const std::size_t capacity =
        s.allocations_total != 0 ? s.allocations_total
                                 : std::min(usual_capacity, ports * std::max<std::size_t>(1, s.relay_addresses.size()));
    const std::size_t descriptors = capacity + s.connections_without_allocation;
    if (m.descriptors != 0 && m.descriptors < descriptors)
        c.warnings.push_back(fmt::format("{} descriptors are not enough for {} allocations and {} connections without "
                                         "one: raise LimitNOFILE= in the unit, or ulimit -n, to {}",
                                         m.descriptors, capacity, s.connections_without_allocation,
                                         descriptors + 1000));
    const std::size_t wanted = wanted_receive_buffer(capacity, s.threads != 0 ? s.threads : m.cores);
    if (m.buffers.largest_receive_buffer != 0 && m.buffers.largest_receive_buffer < wanted)
        c.warnings.push_back(fmt::format("socket buffers are small for {} allocations: set net.core.rmem_max to {} "
                                         "(sysctl -w, and /etc/sysctl.d)",
                                         capacity, wanted));
}

} // namespace

machine read_machine() {
    rlimit limit{};
    const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY;
    return {known ? static_cast<std::size_t>(limit.rlim_max) : 0, std::max(1U, std::thread::hardware_concurrency()),
            read_machine_limits()};
}

void check_in_depth(configuration& c, const machine& m, std::string_view name,
                    std::chrono::system_clock::time_point now) {
    check_certificates(name, now, c);
    check_ports(c);
    if (service_of(c.settings) == service::stun_only) return;
    for (const turn::relay_address& r : c.settings.relay_addresses) check_advertised(r, c);
    check_capacity(m, c);
}

} // namespace turnd
