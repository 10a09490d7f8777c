#include "stun/integrity.hpp"

#include <algorithm>

#include "base/byte_order.hpp"
#include "base/crypto.hpp"
#include "turn/stun/message.hpp"

namespace turn::stun {

namespace {

using header = std::array<std::byte, header_size>;

/// The header with the length field the HMAC is computed over; the message itself is not touched or copied.
header header_ending_at(bytes message, std::size_t end) noexcept {
    header h;
    std::copy_n(message.begin(), h.size(), h.begin());
    store_u16(h, 2, static_cast<std::uint16_t>(end - header_size));
    return h;
}

} // namespace

std::array<std::byte, 20> integrity_sha1(bytes before, std::size_t end, const credential_key& key) noexcept {
    const header h = header_ending_at(before, end);
    return crypto::hmac_sha1(key.view(), std::array<bytes, 2>{h, before.subspan(header_size)});
}

std::array<std::byte, 32> integrity_sha256(bytes before, std::size_t end, const credential_key& key) noexcept {
    const header h = header_ending_at(before, end);
    return crypto::hmac_sha256(key.view(), std::array<bytes, 2>{h, before.subspan(header_size)});
}

std::uint32_t fingerprint_of(bytes before) noexcept {
    constexpr std::uint32_t not_another_crc = 0x5354554e; // "STUN": RFC 8489, 14.7
    return crypto::crc32(before) ^ not_another_crc;
}

} // namespace turn::stun
