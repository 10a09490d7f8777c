#pragma once
/// Where one message ends on a stream: RFC 8489, 6.2.2 and RFC 8656, 12.5. Looks at bytes, keeps nothing.

#include <cstddef>
#include <cstdint>

#include "turn/packet.hpp"

namespace turn::net {

struct frame {
    enum class state : std::uint8_t {
        whole,
        incomplete, ///< more bytes are needed
        garbage,    ///< no message of ours can begin like this
    };
    state what = state::incomplete;
    bytes message{};      ///< whole: a STUN message, or ChannelData without its padding
    std::size_t size = 0; ///< whole: bytes it takes on the stream, padding included
    bool binds = false;   ///< whole: a ConnectionBind request, behind which may be no message (RFC 6062, 5.4)
};

struct frame_rules {
    /// Whoever has no allocation has no channels: then ChannelData is garbage, such as "GET / HTTP/1.1".
    bool channel_data = true;
    std::size_t largest = 65535 + 20 + 4; ///< a message that takes more bytes than this is garbage
};

/// The first message in `received`.
frame next_frame(bytes received, const frame_rules&) noexcept;

} // namespace turn::net
