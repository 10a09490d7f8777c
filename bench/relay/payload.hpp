#pragma once
/// What the load generator puts into each packet, so that every one can be verified on arrival.

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <span>

#include "turn/packet.hpp"

namespace turn::bench {

struct stamp {
    std::uint32_t flow = 0;
    direction way = direction::up;
    std::uint64_t sequence = 0; ///< of this flow and direction, from 0
    time_point sent{};
};

namespace detail {

/// In the order of the bytes: a checksum, then this, then filler. One machine writes and reads, so its byte order does.
struct head {
    std::uint64_t checksum;
    std::uint64_t sequence;
    std::int64_t sent;
    std::uint32_t flow;
    std::uint32_t way;
};
static_assert(sizeof(head) == 32);

inline constexpr std::size_t filler_offsets = 4096;

/// Random bytes; each packet takes its filler from another place in them.
inline const std::array<std::byte, 65536 + filler_offsets>& filler() {
    static const auto random = [] {
        std::array<std::byte, 65536 + filler_offsets> made{};
        std::mt19937 engine(1);
        for (auto& b : made) b = static_cast<std::byte>(engine());
        return made;
    }();
    return random;
}

/// Any change in any byte changes it. Four lanes, because one would wait for each multiplication: 1200 bytes take some
/// 100 ns, which a generator of 10^5 packets a second can spare twice.
inline std::uint64_t checksum_of(bytes data) noexcept {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15U;
    std::array<std::uint64_t, 4> lanes{1, 2, 3, 4};
    while (data.size() >= sizeof lanes) {
        std::array<std::uint64_t, 4> words{};
        std::memcpy(words.data(), data.data(), sizeof words);
        for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = std::rotl((lanes[i] ^ words[i]) * odd, 29);
        data = data.subspan(sizeof lanes);
    }
    std::array<std::uint64_t, 4> rest{};
    if (!data.empty()) std::memcpy(rest.data(), data.data(), data.size());
    std::uint64_t sum = data.size();
    for (std::size_t i = 0; i < lanes.size(); ++i) sum = std::rotl((sum ^ lanes[i] ^ (rest[i] * odd)) * odd, 31);
    return sum;
}

} // namespace detail

inline constexpr std::size_t smallest_payload = sizeof(detail::head);
inline constexpr std::size_t largest_payload = 65000;

/// Fills `room`. Precondition: smallest_payload ≤ size ≤ largest_payload.
inline void write_payload(std::span<std::byte> room, const stamp& s) noexcept {
    assert(room.size() >= smallest_payload && room.size() <= largest_payload);
    detail::head h{0, s.sequence, s.sent.time_since_epoch().count(), s.flow, static_cast<std::uint32_t>(s.way)};
    std::memcpy(room.data(), &h, sizeof h);
    const std::size_t from = (s.flow * 61 + s.sequence * 17) % detail::filler_offsets;
    std::memcpy(room.data() + sizeof h, detail::filler().data() + from, room.size() - sizeof h);
    h.checksum = detail::checksum_of(room.subspan(sizeof h.checksum));
    std::memcpy(room.data(), &h.checksum, sizeof h.checksum);
}

/// Nothing when it is not byte for byte what write_payload() made, or not `size` long.
inline std::optional<stamp> read_payload(bytes data, std::size_t size) noexcept {
    detail::head h{};
    if (data.size() != size || size < sizeof h) return std::nullopt;
    std::memcpy(&h, data.data(), sizeof h);
    if (h.checksum != detail::checksum_of(data.subspan(sizeof h.checksum))) return std::nullopt;
    return stamp{h.flow, static_cast<direction>(h.way), h.sequence, time_point(time_point::duration(h.sent))};
}

} // namespace turn::bench
