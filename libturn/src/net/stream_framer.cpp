#include "net/stream_framer.hpp"

#include <algorithm>
#include <array>

#include "turn/channel_data.hpp"

namespace turn::net {

namespace {

constexpr std::size_t stun_header_size = 20;
constexpr std::size_t cookie_at = 4;
constexpr std::array magic_cookie{std::byte{0x21}, std::byte{0x12}, std::byte{0xa4}, std::byte{0x42}};
constexpr frame garbage{frame::state::garbage, {}, 0, false};
constexpr std::array connection_bind_request{std::byte{0x00}, std::byte{0x0b}};

std::size_t length_field(bytes b) noexcept {
    return std::to_integer<std::size_t>(b[2]) << 8 | std::to_integer<std::size_t>(b[3]);
}

/// `size` bytes of the stream, of which `message` belong to the message.
frame cut(bytes received, std::size_t message, std::size_t size, const frame_rules& rules) noexcept {
    if (size > rules.largest) return garbage;
    if (received.size() < size) return {};
    const bool binds = std::equal(connection_bind_request.begin(), connection_bind_request.end(), received.begin());
    return {frame::state::whole, received.first(message), size, binds};
}

frame stun_frame(bytes received, const frame_rules& rules) noexcept {
    for (std::size_t i = 0; i < magic_cookie.size() && cookie_at + i < received.size(); ++i)
        if (received[cookie_at + i] != magic_cookie[i]) return garbage;
    if (received.size() < cookie_at) return {};
    const std::size_t length = length_field(received);
    if (length % 4 != 0) return garbage; // RFC 8489, 5
    return cut(received, stun_header_size + length, stun_header_size + length, rules);
}

frame channel_data_frame(bytes received, const frame_rules& rules) noexcept {
    if (!rules.channel_data) return garbage;
    if (received.size() < channel_data_header_size) return {};
    const std::size_t message = channel_data_header_size + length_field(received);
    return cut(received, message, message + padding_of(message), rules);
}

} // namespace

frame next_frame(bytes received, const frame_rules& rules) noexcept {
    if (received.empty()) return {};
    switch (std::to_integer<unsigned>(received[0]) >> 6) {
    case 0:
        return stun_frame(received, rules);
    case 1:
        return channel_data_frame(received, rules);
    default:
        return garbage;
    }
}

} // namespace turn::net
