#pragma once
/// Connections between TCP relayed transport addresses and peers, as a relay remembers them: RFC 6062, 5.2 to 5.4.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/crypto.hpp"
#include "base/index_table.hpp"
#include "turn/packet.hpp"
#include "turn/stun/credentials.hpp"

namespace turn {

struct peer_link {
    enum class state : std::uint8_t {
        none,
        connecting, ///< a Connect waits for the peer's answer
        pending,    ///< there, and nobody has bound it yet
        bound,      ///< a peer data connection with its client data connection
    };
    state what = state::none;
    std::uint32_t owner = 0; ///< slot of the allocation
    connection_id id{};
    transport_address peer{};
    // Connecting: the Connect and what its answer is signed with.
    std::vector<std::byte> request{};
    stun::credential_key key{};
    bool names_algorithm = false;
};

/// By peer_connection and by CONNECTION-ID. As large as the ids it is given, which count the connections there are.
class peer_links {
public:
    /// Null: it is unknown.
    [[nodiscard]] peer_link* find(peer_connection c) noexcept {
        const auto i = static_cast<std::size_t>(c);
        return i < links_.size() && links_[i].what != peer_link::state::none ? &links_[i] : nullptr;
    }
    [[nodiscard]] const peer_link& operator[](peer_connection c) const noexcept {
        return links_[static_cast<std::size_t>(c)];
    }
    [[nodiscard]] std::optional<peer_connection> find(connection_id id) const noexcept {
        const auto i = by_id_.find(hash_of(id), [&](index_table::index at) { return links_[at].id == id; });
        return i == index_table::none ? std::nullopt : std::optional(peer_connection{i});
    }

    /// Gives a new link an id that no other has. Precondition: `c` is unknown. May throw std::bad_alloc, then nothing
    /// has changed.
    peer_link& add(peer_connection c, unsigned shard) {
        const auto i = static_cast<std::uint32_t>(c);
        if (i >= links_.size()) links_.resize(static_cast<std::size_t>(i) + 1);
        const connection_id id = fresh_id(shard);
        by_id_.insert(hash_of(id), i);
        links_[i].id = id;
        links_[i].what = peer_link::state::connecting;
        return links_[i];
    }
    /// Precondition: it is known.
    void remove(peer_connection c) noexcept {
        peer_link& link = links_[static_cast<std::size_t>(c)];
        by_id_.erase(hash_of(link.id), static_cast<std::uint32_t>(c));
        link = {};
    }

private:
    /// Random as it is, it needs no mixing.
    static index_table::hash hash_of(connection_id id) noexcept { return static_cast<index_table::hash>(id); }

    /// Connections are far fewer than ids, as each has a descriptor.
    connection_id fresh_id(unsigned shard) const noexcept {
        for (;;) {
            const auto random = static_cast<std::uint32_t>(crypto::random64()) >> (32 - connection_shard_shift);
            const connection_id id{shard << connection_shard_shift | random};
            if (!find(id)) return id;
        }
    }

    std::vector<peer_link> links_{};
    index_table by_id_{};
};

} // namespace turn
