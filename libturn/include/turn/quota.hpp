#pragma once
/// How many allocations there may be: per user and in total, across shards.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "turn/reason.hpp"

namespace turn {

/// Counts allocations. Thread-safe; one object for all shards of a server, outliving its relays.
/// Bounded by `total`: users without allocations take no memory.
class allocation_quota {
public:
    struct limits {
        std::size_t total = 100'000;
        std::size_t per_user = 0; ///< 0: none
    };
    explicit allocation_quota(limits);
    ~allocation_quota();

    /// Takes one unit for `account` in `realm`; `user_limit` overrides limits::per_user when not 0.
    /// Returns reason::none, quota_user or quota_total.
    reason acquire(std::string_view realm, std::string_view account, std::size_t user_limit = 0);
    /// Gives one unit back. Precondition: acquired with the same names.
    void release(std::string_view realm, std::string_view account) noexcept;
    [[nodiscard]] std::size_t in_use() const noexcept;
    /// From now on. Units above a lower limit stay until they are released.
    void set_limits(limits) noexcept;
    [[nodiscard]] limits allowed() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace turn
