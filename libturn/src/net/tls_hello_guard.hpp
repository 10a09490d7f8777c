#pragma once
/// What a ClientHello may cost before it is there: OpenSSL reserves 131 396 bytes for one as soon as four of them say
/// so.

#include <array>
#include <cstddef>
#include <cstdint>

#include "turn/packet.hpp"

namespace turn::net {

/// Reads along while a client's first handshake messages are not encrypted: RFC 8446, 4 and 5.1. Keeps no more than
/// headers. One per session.
class tls_hello_guard {
public:
    /// More than any client has to say: a ticket and the keys of a post-quantum group take a few thousand bytes.
    static constexpr std::size_t largest_hello = 16'384;

    /// What comes next on the stream, in whatever pieces. False: it announces a ClientHello that is too large.
    /// `tls_1_2`: this version has been agreed on, in which messages behind ChangeCipherSpec are encrypted.
    [[nodiscard]] bool admits(bytes stream, bool tls_1_2) noexcept;

private:
    void begin_record(bool tls_1_2) noexcept;
    bool read_handshake(bytes part) noexcept;

    std::array<std::uint8_t, 5> record_header_{};
    std::array<std::uint8_t, 4> message_header_{};
    std::size_t gathered_ = 0;         ///< of record_header_
    std::size_t message_gathered_ = 0; ///< of message_header_
    std::size_t record_left_ = 0;
    std::size_t message_left_ = 0;
    bool changed_cipher_ = false;
    bool over_ = false; ///< no more ClientHello can come, or nothing OpenSSL would take for one
};

} // namespace turn::net
