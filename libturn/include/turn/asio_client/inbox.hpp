#pragma once
/// What was heard of peers, and who waits for it. Part of turn/asio_client.hpp.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include "turn/asio_client/completion.hpp"
#include "turn/client.hpp"

namespace turn::asio_detail {

class inbox {
public:
    using datagram_done = completion_ptr<transport_address, std::size_t>;
    using icmp_done = completion_ptr<client::peer_unreachable>;

    /// For so many bytes of datagrams that nobody waits for.
    explicit inbox(std::size_t room) : room_(room) {}

    [[nodiscard]] bool has_datagram() const noexcept { return !datagrams_.empty(); }
    [[nodiscard]] bool has_icmp() const noexcept { return !icmp_.empty(); }
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

    // Now, or when something comes.
    void wait_for_datagram(serial_number serial, asio::mutable_buffer into, datagram_done done) {
        if (datagrams_.empty()) return readers_.push_back({serial, into, std::move(done)});
        const auto first = take(datagrams_);
        bytes_ -= first.data.size();
        hand_over(into, *done, first.from, first.data);
    }
    void wait_for_icmp(serial_number serial, icmp_done done) {
        if (icmp_.empty()) return icmp_readers_.push_back({serial, std::move(done)});
        done->finish({}, take(icmp_));
    }

    void heard(const client::peer_data& d) {
        if (!readers_.empty()) {
            const auto first = take(readers_);
            return hand_over(first.into, *first.done, d.from, d.data);
        }
        if (bytes_ + d.data.size() > room_) {
            ++dropped_; // as a socket does whose reader is slow
            return;
        }
        bytes_ += d.data.size();
        datagrams_.push_back({d.from, {d.data.begin(), d.data.end()}});
    }
    void heard(const client::peer_unreachable& u) {
        if (!icmp_readers_.empty()) return take(icmp_readers_).done->finish({}, u);
        if (icmp_.size() == max_icmp) icmp_.pop_front();
        icmp_.push_back(u);
    }

    void cancel(serial_number serial, std::error_code why) {
        cut(readers_, serial, why);
        cut(icmp_readers_, serial, why);
    }
    /// Nothing more comes. What is there can still be had.
    void fail(std::error_code why) {
        for (auto& r : std::exchange(readers_, {})) r.done->fail(why);
        for (auto& r : std::exchange(icmp_readers_, {})) r.done->fail(why);
    }

private:
    static constexpr std::size_t max_icmp = 64; ///< the newest that nobody has asked for

    struct datagram_of {
        transport_address from;
        std::vector<std::byte> data;
    };
    struct reader {
        serial_number serial;
        asio::mutable_buffer into;
        datagram_done done;
    };
    struct icmp_reader {
        serial_number serial;
        icmp_done done;
    };

    template <class Queue>
    static typename Queue::value_type take(Queue& from) {
        auto first = std::move(from.front());
        from.pop_front();
        return first;
    }
    static void hand_over(asio::mutable_buffer into, completion<transport_address, std::size_t>& done,
                          const transport_address& from, bytes data) {
        const auto count = asio::buffer_copy(into, asio::buffer(data.data(), data.size()));
        const bool is_cut = count < data.size();
        done.finish(is_cut ? asio::error::message_size : std::error_code(), from, count);
    }

    std::size_t room_;
    std::size_t bytes_ = 0; ///< in datagrams_
    std::uint64_t dropped_ = 0;
    std::deque<datagram_of> datagrams_{};
    std::deque<client::peer_unreachable> icmp_{};
    std::deque<reader> readers_{};
    std::deque<icmp_reader> icmp_readers_{};
};

} // namespace turn::asio_detail
