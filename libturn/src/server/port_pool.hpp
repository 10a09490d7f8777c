#pragma once
/// The relay ports of one relay address, shared by all shards: which are free, and who gives one back when.
/// RFC 8656, 7.2 (random ports; even ports and pairs for EVEN-PORT).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "turn/relay.hpp"

namespace turn {

class port_pool;

/// Ports in use over all pools of a server, now and at most ever. Any thread.
class port_usage {
public:
    void took(std::size_t ports) noexcept {
        const std::size_t now = in_use_.fetch_add(ports, std::memory_order_relaxed) + ports;
        for (std::size_t peak = peak_.load(std::memory_order_relaxed); peak < now;)
            if (peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) break;
    }
    void gave_back() noexcept { in_use_.fetch_sub(1, std::memory_order_relaxed); }

    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::size_t> in_use_{0};
    std::atomic<std::size_t> peak_{0};
};

/// One port taken from a pool, given back when the lease ends. Close the socket first: until then the port is busy.
class port_lease {
public:
    port_lease() = default;
    port_lease(port_lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), port_(other.port_) {}
    port_lease& operator=(port_lease&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(port_, other.port_);
        return *this;
    }
    ~port_lease();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    explicit operator bool() const noexcept { return pool_ != nullptr; }

private:
    friend class port_pool;
    port_lease(port_pool& pool, std::uint16_t port) noexcept : pool_(&pool), port_(port) {}

    port_pool* pool_ = nullptr;
    std::uint16_t port_ = 0;
};

/// Thread-safe; outlives its leases.
class port_pool {
public:
    struct taken {
        port_lease port{};
        port_lease next{}; ///< the next higher port; only with even_and_reserve_next
    };

    /// Precondition: 0 < min ≤ max. `usage` outlives the pool.
    port_pool(std::uint16_t min, std::uint16_t max, port_usage& usage);
    port_pool(const port_pool&) = delete;
    port_pool& operator=(const port_pool&) = delete;

    /// A random free port with the wanted properties; nothing when there is none.
    std::optional<taken> take(port_wish) noexcept;

private:
    friend class port_lease;
    using word = std::uint64_t;

    [[nodiscard]] word candidates(port_wish, std::size_t at) const noexcept;
    [[nodiscard]] std::optional<std::uint16_t> find(port_wish) const noexcept;
    port_lease lease(std::uint16_t port) noexcept;
    void give_back(std::uint16_t port) noexcept;

    std::uint32_t base_; ///< the port of bit 0: a multiple of 64, so an even port and its successor share a word
    port_usage& usage_;
    std::mutex mutex_{};
    std::vector<word> busy_; ///< a set bit: taken, or outside the range
};

} // namespace turn
