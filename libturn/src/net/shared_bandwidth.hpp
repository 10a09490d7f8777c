#pragma once
/// What the connections of a TCP allocation may relay together: a token bucket for each direction (RFC 8656, 5), and
/// the row of those who wait until there is something in it again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/bandwidth_limit.hpp"
#include "base/deadline_queue.hpp"
#include "turn/packet.hpp"

namespace turn::net {

/// Connections are small dense numbers.
class shared_bandwidth {
public:
    /// Bytes, by direction::up and direction::down.
    using amount = std::array<std::size_t, 2>;
    static constexpr amount everything{std::numeric_limits<std::size_t>::max(),
                                       std::numeric_limits<std::size_t>::max()};

    /// 0: no limit.
    explicit shared_bandwidth(std::uint64_t bits_per_second) noexcept : limit_(bits_per_second) {}
    /// Holds for everybody at once. Returns who waited until now, valid until the next call.
    std::span<const std::uint32_t> set(std::uint64_t bits_per_second, time_point now) noexcept;
    [[nodiscard]] bool unlimited() const noexcept { return limit_.unlimited(); }

    /// May throw std::bad_alloc, then it has not entered.
    void enter(std::uint32_t connection, const allocation_place& of);
    /// Does nothing when it has not entered.
    void leave(std::uint32_t connection) noexcept;

    /// What it may take now. Preconditions here and below: it has entered, and there is a limit.
    [[nodiscard]] amount left_for(std::uint32_t connection, time_point now) const noexcept;
    /// What it has taken, which may be more.
    void take(std::uint32_t connection, const amount& taken, time_point now) noexcept;
    /// It wants more than is left: until tick() names it nothing is left for it. False: it waits already. May throw
    /// std::bad_alloc, then it does not wait.
    bool wait(std::uint32_t connection, direction);

    /// Who may go on, one connection perhaps twice; valid until the next call.
    std::span<const std::uint32_t> tick(time_point now) noexcept;
    /// time_point::max() when nobody waits.
    [[nodiscard]] time_point next_deadline() const noexcept { return deadlines_.next(); }

private:
    struct bucket {
        bandwidth_limit::bucket full_again{};
        std::vector<std::uint32_t> waiting{};                        ///< who has waited longest comes first
        std::size_t share = std::numeric_limits<std::size_t>::max(); ///< of what was left, for each who was named last
    };
    struct allocation {
        std::uint64_t number = 0;
        std::array<bucket, 2> buckets{};
    };
    struct member {
        static constexpr std::uint32_t nowhere = 0xffffffffU;
        std::uint32_t place = nowhere;
        std::array<bool, 2> waits{};
    };

    [[nodiscard]] static deadline_queue::id deadline_of(std::uint32_t place, std::size_t way) noexcept {
        return static_cast<deadline_queue::id>(2 * place + way);
    }
    void name_some(deadline_queue::id, time_point now) noexcept;
    void name(std::size_t way, bucket&, std::size_t count) noexcept;

    bandwidth_limit limit_;
    std::vector<allocation> allocations_{}; ///< by place
    std::vector<member> members_{};         ///< by connection
    std::size_t waiting_ = 0;
    deadline_queue deadlines_{}; ///< by deadline_of()
    std::vector<std::uint32_t> named_{};
};

} // namespace turn::net
