#include "server/listeners.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <system_error>

#include "base/crypto.hpp"
#include "net/interfaces.hpp"
#include "net/socket_option.hpp"
#include "net/steering.hpp"

namespace turn {

namespace {

/// A listener with a concrete address.
struct wanted_listener {
    transport_address local{};
    std::string realm{};
    transport protocol = transport::udp;
    std::shared_ptr<net::tls_context> tls{};
    bool from_wildcard = false;
};

std::string title(const transport_address& local, transport protocol) {
    const std::string_view how = protocol == transport::udp ? "" : name(protocol);
    return "listener " + std::string(how) + (how.empty() ? "" : " ") + local.to_string() + ": ";
}

start_error refused(const wanted_listener& wanted, int why) {
    const std::string begin = title(wanted.local, wanted.protocol);
    switch (why) {
    case EADDRINUSE:
        return {begin + "address already in use by another program (ss -" +
                    (wanted.protocol == transport::udp ? "u" : "t") +
                    "lpn shows which); stop it, or listen on another port",
                why};
    case EADDRNOTAVAIL:
        return {begin + "no interface of this machine has this address", why};
    case EAFNOSUPPORT:
        return {begin + "this machine has no IPv6", why};
    case EACCES:
        return {begin + "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE", why};
    default:
        return {begin + std::generic_category().message(why), why};
    }
}

/// Wildcards replaced by the interfaces' addresses, but for those that have a listener of their own.
result<std::vector<wanted_listener>, start_error> expand(const server_options& options,
                                                         std::vector<std::string>& warnings) {
    std::vector<wanted_listener> named;
    std::vector<wanted_listener> from_wildcards;
    for (const auto& l : options.listeners) {
        wanted_listener w{l.local, l.realm.empty() ? options.realm : l.realm, l.protocol, nullptr,
                          l.local.is_unspecified()};
        if (l.protocol == transport::tls) {
            auto context = net::tls_context::load(l.certificates);
            if (!context) return start_error{title(l.local, l.protocol) + context.error(), 0};
            w.tls = std::move(*context);
        }
        (w.from_wildcard ? from_wildcards : named).push_back(std::move(w));
    }
    std::vector<wanted_listener> wanted = std::move(named);
    const auto has = [&](const transport_address& local, transport protocol) {
        return local.port != 0 && std::any_of(wanted.begin(), wanted.end(), [&](const auto& w) {
                   return w.local == local && w.protocol == protocol;
               });
    };
    for (auto& wildcard : from_wildcards) {
        const auto addresses = net::interface_addresses(wildcard.local.family).value_or({});
        if (addresses.empty())
            warnings.push_back(title(wildcard.local, wildcard.protocol) + "this machine has no " +
                               (wildcard.local.is_ipv4() ? "IPv4" : "IPv6") + " address, so nothing listens there");
        for (const auto& a : addresses) {
            const auto local = a.with_port(wildcard.local.port);
            if (has(local, wildcard.protocol)) continue;
            auto one = wildcard;
            one.local = local;
            wanted.push_back(std::move(one));
        }
    }
    return wanted;
}

/// The first socket of a group binds alone, so that a port somebody else has is noticed even if he shares it, and
/// becomes sharable afterwards; no other program can get in between.
bool make_sharable(int descriptor, std::size_t shards) noexcept {
    return shards == 1 || net::set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
}

/// One socket per shard, and the steering between them.
result<listener_group, int> open_datagrams(const wanted_listener& wanted, std::span<shard_sockets> shards,
                                           std::vector<std::string>& warnings) {
    listener_group group{wanted.local, wanted.realm, transport::udp, {}, 0, nullptr};
    for (const auto& shard : shards) {
        const bool first = group.sockets.empty();
        const auto id = shard.datagrams->open(group.local, {.role = net::socket_role::listener, .reuse_port = !first});
        if (!id) return errno;
        group.sockets.push_back(*id);
        if (!first) continue;
        group.local = shard.datagrams->local_address(*id);
        if (!make_sharable(shard.datagrams->descriptor(*id), shards.size())) return errno;
    }
    // The kernel numbers the sockets of a group in the order they were bound, which is the shards'.
    const int any_of_them = shards.front().datagrams->descriptor(group.sockets.front());
    const auto seed = static_cast<std::uint32_t>(crypto::random64());
    if (!net::steer_by_source(any_of_them, static_cast<unsigned>(shards.size()), seed))
        warnings.push_back(title(group.local, transport::udp) +
                           "this kernel takes no steering program; its own hash spreads the clients");
    return group;
}

/// Likewise for connections, which the kernel spreads by its own hash: a connection stays where it was accepted.
result<listener_group, int> open_streams(const wanted_listener& wanted, const net::stream_kinds& kinds,
                                         std::span<shard_sockets> shards) {
    listener_group group{wanted.local, wanted.realm, wanted.protocol, {}, 0, wanted.tls};
    for (std::size_t i = 0; i < shards.size(); ++i) {
        auto& streams = *shards[i].streams;
        const auto number = streams.listen(group.local, kinds, i != 0);
        if (!number) return errno;
        if (i != 0) continue;
        group.stream_listener = *number;
        group.local = streams.local_address(*number);
        if (!make_sharable(streams.descriptor(*number), shards.size())) return errno;
    }
    return group;
}

/// TCP and TLS on one address share a socket, unless the system chooses the ports.
const wanted_listener* other_on_port(const std::vector<wanted_listener>& all, const wanted_listener& one) {
    const auto other = std::find_if(all.begin(), all.end(), [&](const auto& w) {
        return w.protocol != transport::udp && w.protocol != one.protocol && w.local == one.local && w.local.port != 0;
    });
    return one.protocol == transport::udp || other == all.end() ? nullptr : &*other;
}

} // namespace

result<std::vector<listener_group>, start_error>
open_listeners(const server_options& options, std::span<shard_sockets> shards, std::vector<std::string>& warnings) {
    const auto all = expand(options, warnings);
    if (!all) return all.error();
    std::vector<listener_group> groups;
    for (const auto& wanted : *all) {
        const auto is_there = [&](transport protocol) {
            return std::find_if(groups.begin(), groups.end(),
                                [&](const auto& g) { return g.local == wanted.local && g.protocol == protocol; });
        };
        if (is_there(wanted.protocol) != groups.end())
            return start_error{title(wanted.local, wanted.protocol) + "named twice", 0};

        const wanted_listener* other = other_on_port(*all, wanted);
        if (other != nullptr)
            if (const auto opened = is_there(other->protocol); opened != groups.end()) {
                groups.push_back(
                    {wanted.local, wanted.realm, wanted.protocol, {}, opened->stream_listener, wanted.tls});
                continue;
            }
        const bool both = other != nullptr;
        const net::stream_kinds kinds{both || wanted.protocol == transport::tcp, wanted.tls != nullptr ? wanted.tls
                                                                                 : both                ? other->tls
                                                                                                       : nullptr};
        auto group = wanted.protocol == transport::udp ? open_datagrams(wanted, shards, warnings)
                                                       : open_streams(wanted, kinds, shards);
        if (group) {
            groups.push_back(std::move(*group));
        } else if (wanted.from_wildcard && group.error() == EADDRNOTAVAIL) {
            warnings.push_back(title(wanted.local, wanted.protocol) +
                               "the address is not usable now, so nothing listens there");
        } else {
            return refused(wanted, group.error());
        }
    }
    if (groups.empty()) return start_error{"no listener: name at least one address of this machine", 0};
    return groups;
}

} // namespace turn
