#pragma once
/// How many connections may be without an allocation, in all and from one source. Shared by all shards.

#include <cstddef>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "turn/reason.hpp"
#include "turn/transport_address.hpp"

namespace turn::net {

/// Any thread. Bounded by its own limit: it remembers only sources that have such connections now.
class connection_budget {
public:
    /// `per_source`: of one IPv4 address or one IPv6 /64.
    connection_budget(std::size_t total, std::size_t per_source) noexcept : total_(total), per_source_(per_source) {}

    /// Takes a place for a connection from `source`, or says why there is none.
    [[nodiscard]] std::optional<reason> admit(const transport_address& source) noexcept;
    /// Takes a place even if there is none left: a connection that lost its allocation was let in before.
    void readmit(const transport_address& source) noexcept;
    void leave(const transport_address& source) noexcept;

    [[nodiscard]] std::size_t in_use() const noexcept;
    /// From now on; nobody is sent away.
    void set_limits(std::size_t total, std::size_t per_source) noexcept;

private:
    /// IPv4 address or IPv6 /64; which family it is does not matter for counting.
    static std::uint64_t key_of(const transport_address&) noexcept;

    mutable std::mutex mutex_{};
    std::size_t total_;
    std::size_t per_source_;
    std::size_t in_use_ = 0;
    std::unordered_map<std::uint64_t, std::size_t> by_source_{};
};

/// The place of a connection that is between two shards: given back unless somebody takes it over.
class connection_place {
public:
    connection_place(connection_budget& budget, const transport_address& source) noexcept
        : budget_(&budget), source_(source) {}
    connection_place(connection_place&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), source_(other.source_) {}
    connection_place& operator=(connection_place&&) = delete;
    ~connection_place() {
        if (budget_ != nullptr) budget_->leave(source_);
    }
    /// From now on it is somebody else's business.
    void take_over() noexcept { budget_ = nullptr; }
    [[nodiscard]] const transport_address& source() const noexcept { return source_; }

private:
    connection_budget* budget_;
    transport_address source_;
};

} // namespace turn::net
