#pragma once
/// What can be told of a DTLS datagram before there is any state for its sender: records, a ClientHello and the cookie
/// that proves its source. RFC 6347, 4.1 and 4.2.1.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "turn/packet.hpp"

namespace turn::net {

/// RFC 7983, 7: by its first byte. STUN begins with 0 to 3, ChannelData with 64 to 79.
constexpr bool looks_like_dtls(bytes datagram) noexcept {
    return !datagram.empty() && datagram.front() >= std::byte{20} && datagram.front() <= std::byte{63};
}

/// One record of a datagram. Borrows it.
struct dtls_record {
    std::uint8_t type = 0;
    std::uint16_t epoch = 0;
    bytes numbers{};  ///< epoch and sequence number, as on the wire
    bytes fragment{}; ///< what is behind the header
    bytes whole{};    ///< with it

    static constexpr std::uint8_t change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23;
    static constexpr std::size_t header_size = 13;
};
/// The first record; nothing when there is none that is whole and of DTLS 1.0 or 1.2. RFC 6347, 4.1.
std::optional<dtls_record> first_record(bytes datagram) noexcept;

/// A ClientHello that came whole. Borrows its record.
struct client_hello {
    bytes record_numbers{}; ///< see dtls_record
    bytes random{};         ///< 32 bytes
    bytes begin{};          ///< version, random and session id
    bytes cookie{};         ///< empty: none
    bytes offers{};         ///< cipher suites and compression methods
};
/// Whether a record in the clear begins with (a part of) a ClientHello.
bool begins_hello(const dtls_record&) noexcept;
/// Nothing for one that is malformed or comes in fragments: to put these together would take memory for strangers
/// (RFC 6347, 4.2.1 lets a server do without).
std::optional<client_hello> parse_hello(const dtls_record&) noexcept;
/// Whether all messages of a handshake record in the clear are at most `largest` bytes long, as far as their headers
/// say.
bool messages_within(bytes fragment, std::size_t largest) noexcept;

/// Cookies that need no memory: a MAC over whom they are for, what that client said, and when. One for a shard, since
/// all datagrams of one client come to the same.
class dtls_cookies {
public:
    using cookie = std::array<std::byte, 16>;
    static constexpr std::chrono::seconds period{30}; ///< a cookie is good for one or two of these

    dtls_cookies();
    using challenge = std::array<std::byte, dtls_record::header_size + 12 + 2 + 1 + cookie{}.size()>;
    /// A HelloVerifyRequest: shorter than any ClientHello, so that nobody gains by asking in another's name.
    [[nodiscard]] challenge ask(const client_hello&, const transport_address& client, time_point now) const noexcept;
    [[nodiscard]] bool good(const client_hello&, const transport_address& client, time_point now) const noexcept;

private:
    [[nodiscard]] cookie cookie_of(const client_hello&, const transport_address& client,
                                   std::uint64_t period_number) const noexcept;
    std::array<std::byte, 32> secret_{};
};

} // namespace turn::net
