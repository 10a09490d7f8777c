#pragma once
/// What waits for a client that reads more slowly than its media comes.

#include <chrono>
#include <cstddef>
#include <vector>

#include "turn/counters.hpp"
#include "turn/packet.hpp"

namespace turn::net {

struct queue_limits {
    std::size_t bytes = 524'288;         ///< then the oldest media is dropped
    std::size_t control_bytes = 65'536;  ///< answers of ours that nobody reads; then push() refuses
    std::chrono::milliseconds age{2000}; ///< media that waited longer is worthless, and dropped
};

/// Whole messages, in order. Media gives way to what comes later, control answers do not. One per connection; its
/// memory is what waits in it.
class send_queue {
public:
    /// Copies the message. False: too many answers wait already (or there is no memory for this one), so the client
    /// does not read at all; media never fails, it is dropped and booked.
    bool push(const datagram& message, time_point now, const queue_limits&, stream_counters& books);
    /// Drops media that has become too old.
    void drop_old(time_point now, const queue_limits&, stream_counters& books);
    /// Drops everything, media or not.
    void drop_all(reason why, stream_counters& books);

    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size() - front_; }
    [[nodiscard]] std::size_t bytes_waiting() const noexcept { return bytes_; }
    /// The `i`th from the front; its views live until the next change.
    [[nodiscard]] datagram operator[](std::size_t i) const noexcept;
    void pop(stream_counters& books) noexcept;

private:
    struct entry {
        std::vector<std::byte> message{};
        direction way{};
        time_point since{};
    };
    [[nodiscard]] std::size_t oldest_media() const noexcept; ///< entries_.size(): none
    bool drop_oldest_media(reason why, stream_counters& books) noexcept;
    void forget(const entry&, stream_counters& books) noexcept;
    void remove_front() noexcept;

    std::vector<entry> entries_{}; ///< from front_ on; what is before has left
    std::size_t front_ = 0;
    std::size_t bytes_ = 0;
    std::size_t control_bytes_ = 0;
};

} // namespace turn::net
