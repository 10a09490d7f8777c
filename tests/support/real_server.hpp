#pragma once
/// A turn::server on loopback for tests, and an observer that can be waited for.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/real_client.hpp"
#include "turn/server.hpp"

namespace turn::test {

/// The key of a user whose password is his name and "'s password"; nobody else is known but ann and bob.
inline std::optional<credential> key_of(const credential_question& who) {
    for (const std::string name : {"ann", "bob"}) {
        if (who.userhash ? *who.userhash != *stun::hash_username(name, who.realm) : who.username != name) continue;
        return credential{.key = *stun::long_term_key(who.algorithm, name, who.realm, name + "'s password"),
                          .username = name};
    }
    return std::nullopt;
}

/// Listens on any port of 127.0.0.1 and ::1, relays on both, lets peers on loopback be reached. One thread.
inline server_options on_loopback() {
    server_options o;
    o.realm = "example.org";
    o.listeners = {{.local = loopback()}, {.local = loopback(address_family::ipv6)}};
    o.relay_addresses = {{.bind = loopback()}, {.bind = loopback(address_family::ipv6)}};
    o.relay.peers.allow = {*address_prefix::parse("127.0.0.0/8"), *address_prefix::parse("::1/128")};
    o.allocations_total = 1000;
    o.threads = 1;
    o.credentials = [](const credential_question& who, const credential_reply& reply) { reply(key_of(who)); };
    return o;
}

/// Where the server listens; port 0: it does not.
inline transport_address listener_of(const server& s, address_family family = address_family::ipv4,
                                     transport protocol = transport::udp) {
    for (const auto& l : s.description().listeners)
        if (l.local.family == family && l.protocol == protocol) return l.local;
    return {};
}

/// How many connections the server has closed for this reason.
inline std::uint64_t closed_for(const server& s, reason why) {
    return s.totals().streams.closed[static_cast<std::size_t>(why)];
}

/// Remembers what shards say, from any thread.
class attentive_observer final : public observer {
public:
    struct creation {
        allocation_id id;
        transport_address client;
        std::string username;
    };
    struct end {
        allocation_id id;
        std::string username;
        allocation_end why;
    };

    void allocation_created(const allocation_info& a) noexcept override {
        const std::lock_guard lock(mutex_);
        created_.push_back({a.id, a.client, std::string(a.username)});
        changed_.notify_all();
    }
    void allocation_ended(const allocation_info& a, const usage&, allocation_end why) noexcept override {
        const std::lock_guard lock(mutex_);
        ended_.push_back({a.id, std::string(a.username), why});
        changed_.notify_all();
    }

    [[nodiscard]] std::vector<creation> created() const {
        const std::lock_guard lock(mutex_);
        return created_;
    }
    [[nodiscard]] std::vector<end> ended() const {
        const std::lock_guard lock(mutex_);
        return ended_;
    }
    /// False when fewer than `count` allocations have ended in time.
    bool wait_for_ends(std::size_t count) const {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return ended_.size() >= count; });
    }

private:
    mutable std::mutex mutex_{};
    mutable std::condition_variable changed_{};
    std::vector<creation> created_{};
    std::vector<end> ended_{};
};

} // namespace turn::test
