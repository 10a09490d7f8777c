#pragma once
/// Ports held for a RESERVATION-TOKEN, server-wide: a token made on one shard is redeemed on any. RFC 8656, 7.2.

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "net/file_descriptor.hpp"
#include "server/port_pool.hpp"
#include "turn/relay.hpp"

namespace turn {

/// A bound UDP socket without a shard, and the port it stands on. The socket is declared last, so it is closed before
/// the port is free.
struct reserved_socket {
    port_lease lease{};
    transport_address advertised{};
    net::file_descriptor socket{};
};

/// Thread-safe and bounded; allocates nothing after construction. Outlived by its port pools.
class reservations {
public:
    using token = relay_addresses::token;
    static constexpr std::chrono::seconds lifetime{30}; ///< RFC 8656, 7.2: at least 30 s

    /// `limit`: sockets held at most.
    explicit reservations(std::size_t limit);

    /// Holds a socket until `now` + lifetime under a fresh random token; nothing (and the socket closed) when full.
    std::optional<token> hold(reserved_socket, time_point now) noexcept;
    /// What a token stands for, once; nothing when it is unknown, used or expired.
    std::optional<reserved_socket> redeem(const token&, time_point now) noexcept;
    void cancel(const token&) noexcept;
    /// Frees what expired by `now`.
    void retire(time_point now) noexcept;

    /// time_point::max() when nothing is held.
    [[nodiscard]] time_point next_expiry() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept;

private:
    struct entry {
        token name;
        time_point expires;
        reserved_socket held;
    };
    std::optional<reserved_socket> take(const token&) noexcept;

    mutable std::mutex mutex_{};
    std::vector<std::optional<entry>> entries_; ///< empty ones are free; few enough to be searched
    std::size_t size_ = 0;
};

} // namespace turn
