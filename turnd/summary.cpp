#include "summary.hpp"

#include <string>

#include <fmt/format.h>

#include "configuration.hpp"
#include "file_text.hpp"
#include "parse_value.hpp"

namespace turnd {
namespace {

std::size_t kernel_number(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return 0;
    const auto lines = lines_of(*text);
    if (lines.empty()) return 0;
    const auto n = parse_number(lines.front().text, 0, std::uint64_t{1} << 40);
    return n ? static_cast<std::size_t>(*n) : 0;
}

std::string_view words_of(service what) {
    switch (what) {
    case service::relay_with_credentials:
        return "STUN, and TURN with credentials";
    case service::relay_anonymously:
        return "STUN, and TURN for everybody without credentials";
    case service::stun_only:
        return "STUN only";
    }
    return "";
}

/// Why it is this service, where an operator may have expected another.
std::string_view why(service what, const settings& s) {
    if (what == service::relay_with_credentials) return "";
    if (s.auth == auth_mode::none)
        return what == service::stun_only ? "auth is none" : "auth is none and allow-anonymous-relay is set";
    return what == service::stun_only ? "no credentials are configured and all listeners are on loopback"
                                      : "allow-anonymous-relay is set and all listeners are on loopback";
}

/// The certificate files of a running listener, by the setting it was made from: one of its own address, or else the
/// wildcard. Port 0 has become another one.
std::string certificates_at(const turn::transport_address& local, const settings& s) {
    const listener_setting* from = nullptr;
    for (const listener_setting& l : s.listeners) {
        if (!is_secure(l.protocol) || l.address.family != local.family) continue;
        if (l.address.port != 0 && l.address.port != local.port) continue;
        const bool named = l.address.same_ip(local);
        if (named || (from == nullptr && l.address.is_unspecified())) from = &l;
        if (named) break;
    }
    std::string files;
    if (from != nullptr)
        for (const auto& pair : certificates_of(*from, s)) files += (files.empty() ? "" : ", ") + pair.chain;
    return files;
}

void write_listeners(logger& to, const settings& s, const turn::server_description& d) {
    for (const auto& l : d.listeners) {
        const std::string address = l.local.to_string();
        const std::string files = is_secure(l.protocol) ? certificates_at(l.local, s) : "";
        to.write(
            log_level::info, "listening",
            {{"transport", turn::name(l.protocol)}, {"address", address}, {"realm", l.realm}, {"certificate", files}});
    }
}

void write_relays(logger& to, const turn::server_description& d) {
    const std::string ports = fmt::format("{}-{}", d.relay_port_min, d.relay_port_max);
    for (const auto& relay : d.relays) {
        const std::string bind = relay.bind.ip_to_string();
        const std::string advertised = relay.advertised.same_ip(relay.bind) ? "" : relay.advertised.ip_to_string();
        field chosen{"chosen-by"};
        if (relay.from_default_route) chosen.value = "default route";
        to.write(log_level::info, "relay address",
                 {{"address", bind}, {"advertised", advertised}, {"ports", ports}, chosen});
    }
}

void write_limits(logger& to, const turn::server_description& d, const machine_limits& machine, bool relaying) {
    field capacity{"allocations"};
    if (relaying) capacity.value = std::uint64_t{d.capacity};
    if (relaying) to.write(log_level::info, "capacity", {capacity, {"bound-by", d.capacity_bound_by}});
    to.write(log_level::info, "data plane",
             {{"backend", "sockets"},
              {"threads", std::uint64_t{d.shards}},
              {"gro", d.kernel.gro},
              {"gso", d.kernel.gso},
              {"max-segments", std::uint64_t{d.kernel.max_segments}}});
    to.write(log_level::info, "limits",
             {{"descriptors", std::uint64_t{d.descriptor_limit}},
              {"rmem-max", std::uint64_t{machine.largest_receive_buffer}},
              {"wmem-max", std::uint64_t{machine.largest_send_buffer}}});
}

/// Descriptors that bound the capacity are in the server's own warnings.
void warn_of_small_buffers(logger& to, const turn::server_description& d, const machine_limits& machine) {
    const std::size_t wanted = wanted_receive_buffer(d.capacity, d.shards);
    if (machine.largest_receive_buffer != 0 && machine.largest_receive_buffer < wanted)
        to.write(log_level::warning,
                 fmt::format("socket buffers are small for {} allocations: packets are lost in bursts; set "
                             "net.core.rmem_max to {} (sysctl -w, and /etc/sysctl.d)",
                             d.capacity, wanted));
}

} // namespace

machine_limits read_machine_limits() {
    return {kernel_number("/proc/sys/net/core/rmem_max"), kernel_number("/proc/sys/net/core/wmem_max")};
}

std::size_t wanted_receive_buffer(std::size_t capacity, unsigned shards) noexcept {
    constexpr std::size_t packets_in_pause_per_allocation = 1; // 50 a second for 20 ms
    constexpr std::size_t charged_bytes = 2304;
    constexpr std::size_t most = std::size_t{4} << 20; // what a listener asks for at most
    return std::min(most, capacity / std::max(1U, shards) * packets_in_pause_per_allocation * charged_bytes);
}

void write_summary(logger& to, const settings& s, const turn::server_description& d, const machine_limits& machine) {
    const service what = service_of(s);
    to.write(log_level::info, "service", {{"is", words_of(what)}, {"because", why(what, s)}});
    if (what == service::relay_anonymously)
        to.write(log_level::warning, "everybody who can reach this server can relay through it");
    write_listeners(to, s, d);
    if (what != service::stun_only) write_relays(to, d);
    write_limits(to, d, machine, what != service::stun_only);
    for (const std::string& warning : d.warnings) to.write(log_level::warning, warning);
    if (what != service::stun_only) warn_of_small_buffers(to, d, machine);
    to.write_always(log_level::info, "ready", {{"listeners", std::uint64_t{d.listeners.size()}}});
}

} // namespace turnd
