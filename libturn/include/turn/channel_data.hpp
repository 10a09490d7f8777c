#pragma once
/// ChannelData: RFC 8656, 12.4.

#include <array>
#include <cstddef>
#include <cstdint>

#include "turn/packet.hpp"
#include "turn/result.hpp"

namespace turn {

inline constexpr std::size_t channel_data_header_size = 4;

/// 0x4000–0x4FFF by RFC 8656, 12; up to 0x7FFF by RFC 5766, 11, which clients in the field still use
/// (docs/decisions/0008).
constexpr bool is_channel_number(std::uint16_t number) noexcept {
    return number >= 0x4000 && number <= 0x7fff;
}

struct channel_data {
    std::uint16_t number = 0;
    bytes payload{};

    /// One ChannelData message in a datagram; bytes behind its length are padding and ignored.
    /// Errors: not_stun (the number is none of a channel), truncated. RFC 8656, 12.6.
    static result<channel_data> parse(bytes datagram) noexcept {
        if (datagram.size() < channel_data_header_size) return errc::truncated;
        const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(datagram[i]); };
        const auto number = static_cast<std::uint16_t>(at(0) << 8 | at(1));
        const std::size_t length = at(2) << 8 | at(3);
        if (!is_channel_number(number)) return errc::not_stun;
        if (datagram.size() - channel_data_header_size < length) return errc::truncated;
        return channel_data{number, datagram.subspan(channel_data_header_size, length)};
    }
};

/// Zero bytes that follow `length` bytes on a stream, up to the next multiple of four. RFC 8656, 12.5.
constexpr std::size_t padding_of(std::size_t length) noexcept {
    return (4 - length % 4) % 4;
}

/// The four bytes in front of a payload of `length` bytes.
constexpr std::array<std::byte, channel_data_header_size> channel_data_header(std::uint16_t number,
                                                                              std::uint16_t length) noexcept {
    return {std::byte(number >> 8), std::byte(number & 0xff), std::byte(length >> 8), std::byte(length & 0xff)};
}

} // namespace turn
