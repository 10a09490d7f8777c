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
        return {begin + "address already in use by another program (ss -" + (is_datagram(wanted.protocol) ? "u" : "t") +
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

/// The certificates of each listener: those of TLS and DTLS on one address are one, looked at and renewed together.
class certificate_store {
public:
    result<std::shared_ptr<net::tls_context>, std::string> of(const listener& l) {
        const auto same = [&](const entry& e) {
            return e.local == l.local && l.local.port != 0 &&
                   std::ranges::equal(e.files, l.certificates, [](const auto& a, const auto& b) {
                       return a.chain == b.chain && a.key == b.key;
                   });
        };
        if (const auto there = std::ranges::find_if(all_, same); there != all_.end()) return there->context;
        auto loaded = net::tls_context::load(l.certificates);
        if (loaded) all_.push_back({l.local, l.certificates, *loaded});
        return loaded;
    }

private:
    struct entry {
        transport_address local{};
        std::vector<certificate_files> files{};
        std::shared_ptr<net::tls_context> context{};
    };
    std::vector<entry> all_{};
};

/// Wildcards replaced by the interfaces' addresses, but for those that have a listener of their own.
result<std::vector<wanted_listener>, start_error> expand(const server_options& options,
                                                         std::vector<std::string>& warnings) {
    std::vector<wanted_listener> named;
    std::vector<wanted_listener> from_wildcards;
    certificate_store certificates;
    for (const auto& l : options.listeners) {
        wanted_listener w{l.local, l.realm.empty() ? options.realm : l.realm, l.protocol, nullptr,
                          l.local.is_unspecified()};
        if (is_secure(l.protocol)) {
            auto context = certificates.of(l);
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

/// What a port takes. With both, the first byte tells (RFC 7983).
struct kinds_on_port {
    bool plain = false; ///< TCP, or STUN and ChannelData in datagrams
    std::shared_ptr<net::tls_context> tls{};
};

/// What comes to the group's sockets and begins like DTLS goes to the shards' sessions, under the same number in each.
std::uint32_t listen_for_dtls(const listener_group& group, const std::shared_ptr<net::tls_context>& tls, bool plain,
                              std::span<shard_sockets> shards) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) number = shards[i].dtls->listen(group.sockets[i], tls, plain);
    return number;
}

/// One socket per shard, and the steering between them.
result<listener_group, int> open_datagrams(const wanted_listener& wanted, const kinds_on_port& kinds,
                                           std::span<shard_sockets> shards, std::vector<std::string>& warnings) {
    listener_group group{wanted.local, wanted.realm, wanted.protocol, {}, 0, wanted.tls};
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
    if (kinds.tls != nullptr) group.number = listen_for_dtls(group, kinds.tls, kinds.plain, shards);
    return group;
}

/// Likewise for connections, which the kernel spreads by its own hash: a connection stays where it was accepted.
result<listener_group, int> open_streams(const wanted_listener& wanted, const kinds_on_port& kinds,
                                         std::span<shard_sockets> shards) {
    listener_group group{wanted.local, wanted.realm, wanted.protocol, {}, 0, wanted.tls};
    for (std::size_t i = 0; i < shards.size(); ++i) {
        auto& streams = *shards[i].streams;
        const auto number = streams.listen(group.local, {kinds.plain, kinds.tls}, i != 0);
        if (!number) return errno;
        if (i != 0) continue;
        group.number = *number;
        group.local = streams.local_address(*number);
        if (!make_sharable(streams.descriptor(*number), shards.size())) return errno;
    }
    return group;
}

/// TCP and TLS on one address share a socket, and UDP and DTLS, unless the system chooses the ports.
const wanted_listener* other_on_port(const std::vector<wanted_listener>& all, const wanted_listener& one) {
    const auto other = std::find_if(all.begin(), all.end(), [&](const auto& w) {
        return w.protocol != one.protocol && is_datagram(w.protocol) == is_datagram(one.protocol) &&
               w.local == one.local && w.local.port != 0;
    });
    return other == all.end() ? nullptr : &*other;
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
                    {wanted.local, wanted.realm, wanted.protocol, opened->sockets, opened->number, wanted.tls});
                continue;
            }
        const bool both = other != nullptr;
        const kinds_on_port kinds{both || !is_secure(wanted.protocol), wanted.tls != nullptr ? wanted.tls
                                                                       : both                ? other->tls
                                                                                             : nullptr};
        auto group = is_datagram(wanted.protocol) ? open_datagrams(wanted, kinds, shards, warnings)
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
