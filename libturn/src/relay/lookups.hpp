#pragma once
/// Requests that wait for a credential: parked, coalesced, bounded, each under a ticket with a generation.

#include <cstdint>
#include <limits>
#include <vector>

#include "base/index_table.hpp"
#include "relay/tables.hpp"

namespace turn {

/// What makes two requests the same transaction: RFC 8489, 6.3.1.
struct transaction_key {
    five_tuple tuple{};
    stun::transaction_id id{};
    friend bool operator==(const transaction_key&, const transaction_key&) = default;
};

struct transaction_key_hash {
    seeded_mix mix;
    index_table::hash operator()(const transaction_key& k) const noexcept {
        std::uint64_t id = 0;
        std::memcpy(&id, k.id.data(), sizeof id);
        return static_cast<index_table::hash>(mix(k.tuple.client, static_cast<std::uint64_t>(k.tuple.via) ^ id));
    }
};

class lookup_table {
public:
    struct lookup {
        transaction_key key{};
        std::vector<std::byte> request{}; ///< empty: the slot is free
        std::uint32_t generation = 0;
    };
    using index = std::uint32_t;
    static constexpr index none = std::numeric_limits<index>::max();

    lookup_table(std::size_t max, seeded_mix mix) : max_(max), hash_{mix} {}

    [[nodiscard]] bool full() const noexcept { return by_key_.size() >= max_; }
    [[nodiscard]] bool contains(const transaction_key& key) const noexcept {
        return by_key_.find(hash_(key), [&](index i) { return slots_[i].key == key; }) != none;
    }
    /// Parks a copy of `request`. Precondition: not full, not contained. May throw std::bad_alloc, then nothing
    /// changed.
    index park(const transaction_key& key, bytes request) {
        const index i = take_slot();
        std::vector<std::byte> copy(request.begin(), request.end());
        by_key_.insert(hash_(key), i);
        lookup& l = slots_[i];
        l.key = key;
        l.request = std::move(copy);
        if (!free_.empty() && free_.back() == i) free_.pop_back();
        return i;
    }
    /// Takes a lookup out. Precondition: it is parked.
    lookup take(index i) noexcept {
        lookup& l = slots_[i];
        by_key_.erase(hash_(l.key), i);
        lookup taken = std::move(l);
        l = lookup{{}, {}, taken.generation + 1};
        free_.push_back(i);
        return taken;
    }
    [[nodiscard]] const lookup& operator[](index i) const noexcept { return slots_[i]; }
    [[nodiscard]] ticket_id ticket(index i) const noexcept {
        return ticket_id{std::uint64_t{slots_[i].generation} << 32 | i};
    }
    /// Indexes in use are below; not all of them are parked.
    [[nodiscard]] index end() const noexcept { return static_cast<index>(slots_.size()); }
    [[nodiscard]] bool is_parked(index i) const noexcept { return i < slots_.size() && !slots_[i].request.empty(); }
    /// none: the ticket is unknown or outdated.
    [[nodiscard]] index find(ticket_id t) const noexcept {
        const auto i = static_cast<index>(static_cast<std::uint64_t>(t) & 0xffffffffU);
        return is_parked(i) && ticket(i) == t ? i : none;
    }
    [[nodiscard]] std::size_t size() const noexcept { return by_key_.size(); }
    [[nodiscard]] std::size_t max() const noexcept { return max_; }

private:
    /// A free slot, which stays on the free list until park() has succeeded.
    index take_slot() {
        if (free_.empty()) {
            if (free_.capacity() <= slots_.size()) free_.reserve(slots_.size() * 2 + 16); // take() never allocates
            slots_.emplace_back();
            free_.push_back(static_cast<index>(slots_.size() - 1));
        }
        return free_.back();
    }

    std::size_t max_;
    std::vector<lookup> slots_;
    std::vector<index> free_;
    transaction_key_hash hash_;
    index_table by_key_{};
};

} // namespace turn
