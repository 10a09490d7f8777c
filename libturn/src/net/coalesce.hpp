#pragma once
/// Sorts a batch of datagrams into trains: what one UDP_SEGMENT send can carry.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "turn/packet.hpp"

namespace turn::net {

/// Datagrams of one socket for one destination and of one traffic class, in order: all of `segment` bytes, the last may
/// be shorter.
struct train {
    static constexpr std::uint32_t none = 0xffffffffU;

    std::uint32_t first = none;          ///< index of its first datagram; coalescer::next() leads on
    std::uint32_t last = none;           ///< index of its last
    std::uint32_t next_of_socket = none; ///< for the owner's chains; the coalescer does not read it
    std::uint32_t bytes = 0;
    std::uint32_t segment = 0;
    std::uint32_t count = 0;
    std::uint8_t traffic_class = 0;
    bool open = false; ///< another datagram may join
};

/// For one batch at a time, of bounded size, without allocating. Within a (socket, destination) pair the order of the
/// trains, and of the datagrams in them, is the order of add().
class coalescer {
public:
    static constexpr std::size_t most_datagrams = 256;

    /// `most_segments`: of one train; 1 means that every datagram travels alone.
    explicit coalescer(unsigned most_segments) noexcept : most_segments_(most_segments) { clear(); }

    void clear() noexcept;

    struct placement {
        std::uint32_t train = 0;
        bool is_new = false;
    };
    /// Puts batch[index] into its pair's latest train, or begins a new one. `largest_segment`: longer datagrams
    /// travel alone. Preconditions: index ≥ every index since clear(), all of the same batch, below most_datagrams;
    /// the datagram is at most largest_payload long.
    placement add(std::span<const datagram> batch, std::uint32_t index, std::uint32_t largest_segment) noexcept;

    [[nodiscard]] train& operator[](std::uint32_t i) noexcept { return trains_[i]; }
    [[nodiscard]] const train& operator[](std::uint32_t i) const noexcept { return trains_[i]; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The datagram behind `index` in the same train, or train::none.
    [[nodiscard]] std::uint32_t next(std::uint32_t index) const noexcept { return next_[index]; }

private:
    static constexpr std::size_t table_size = 2 * most_datagrams; // a power of two, at most half full
    static constexpr std::uint16_t vacant = 0xffff;

    [[nodiscard]] std::uint16_t& latest_of_pair(std::span<const datagram> batch, const datagram& d) noexcept;
    [[nodiscard]] bool joins(const train& t, const datagram& d) const noexcept;

    unsigned most_segments_;
    std::size_t size_ = 0;
    std::array<train, most_datagrams> trains_{};
    std::array<std::uint32_t, most_datagrams> next_{};
    std::array<std::uint16_t, table_size> table_{}; ///< by (socket, destination): its latest train
};

} // namespace turn::net
