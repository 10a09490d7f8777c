#pragma once
/// The keys session tickets are sealed with: RFC 5077, 5.5 and RFC 8446, C.4.

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>

namespace turn::net {

struct ticket_key {
    std::array<std::byte, 16> name{}; ///< shown in the ticket
    std::array<std::byte, 32> cipher{}, authentication{};
};

/// New every few hours, since who learns a key can read what TLS 1.2 sessions resumed with it said. Any thread.
class ticket_keys {
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// How long tickets are sealed with one key, and then for how long they can still be opened with it.
    static constexpr std::chrono::hours period{8};

    explicit ticket_keys(time_point now);

    /// For a new ticket.
    ticket_key sealing(time_point now);

    struct opening_key {
        ticket_key key{};
        bool replaced = false; ///< new tickets are sealed with another one
    };
    /// The key of that name, 16 bytes, unless it is unknown or too old.
    std::optional<opening_key> opening(std::span<const std::byte> name, time_point now);

private:
    void advance(time_point now);

    std::mutex mutex_{};
    ticket_key now_{};
    std::optional<ticket_key> before_{};
    time_point since_{}; ///< of now_
};

} // namespace turn::net
