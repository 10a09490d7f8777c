#include "turn/stun/message.hpp"

#include <algorithm>
#include <bitset>

#include "base/byte_order.hpp"
#include "base/crypto.hpp"
#include "stun/integrity.hpp"
#include "turn/stun/attributes.hpp"

namespace turn::stun {

namespace {

constexpr std::size_t padded(std::size_t length) noexcept {
    return (length + 3) & ~std::size_t{3};
}

constexpr bool comprehension_required(std::uint16_t type) noexcept {
    return type < 0x8000;
}

/// A bit per comprehension-required type; those we know all lie below 64.
template <attribute... Known>
constexpr std::uint64_t set_of() noexcept {
    static_assert(((Known::type < 64) && ...));
    return ((std::uint64_t{1} << Known::type) | ...);
}

constexpr std::uint64_t known_required =
    set_of<mapped_address, username, message_integrity, error_code, unknown_attributes, channel_number, lifetime,
           xor_peer_address, data, realm, nonce, xor_relayed_address, requested_address_family, even_port,
           requested_transport, dont_fragment, message_integrity_sha256, password_algorithm, userhash,
           xor_mapped_address, reservation_token, connection_id>();

constexpr bool is_known(std::uint16_t type) noexcept {
    return type < 64 && (known_required >> type & 1) != 0;
}

constexpr bool is_unknown_required(std::uint16_t type) noexcept {
    return comprehension_required(type) && !is_known(type);
}

/// Precondition: a checked attribute starts at `at`.
std::size_t behind_attribute(bytes message, std::size_t at) noexcept {
    return at + attribute_header_size + padded(load_u16(message, at + 2));
}

/// From the first one at `at` to the end of `visible`; apart from the packet path, which never has one.
std::size_t list_unknown_required(bytes visible, std::size_t at, std::span<std::uint16_t> out) noexcept {
    // A set, not a search in `out`: a hostile message can hold 16 000 different types.
    std::bitset<0x8000> seen;
    std::size_t count = 0;
    for (; at < visible.size(); at = behind_attribute(visible, at)) {
        const std::uint16_t type = load_u16(visible, at);
        if (!is_unknown_required(type) || seen[type]) continue;
        seen[type] = true;
        if (count < out.size()) out[count] = type;
        ++count;
    }
    return count;
}

} // namespace

result<message_view> message_view::parse(bytes datagram) noexcept {
    if (datagram.size() < header_size) return errc::truncated;
    if (std::to_integer<unsigned>(datagram[0]) >= 0x40) return errc::not_stun;
    if (load_u32(datagram, 4) != magic_cookie) return errc::not_stun;
    const std::size_t length = load_u16(datagram, 2);
    if (length % 4 != 0) return errc::not_stun;
    if (header_size + length > datagram.size()) return errc::truncated;
    if (header_size + length < datagram.size()) return errc::not_stun;

    message_view m;
    m.datagram_ = datagram;
    m.visible_end_ = static_cast<std::uint32_t>(datagram.size());
    // What is left is always a multiple of four, so a whole attribute header fits while anything is left.
    for (std::size_t at = header_size; at < datagram.size();) {
        const std::uint16_t type = load_u16(datagram, at);
        const std::size_t size = load_u16(datagram, at + 2);
        if (padded(size) > datagram.size() - at - attribute_header_size) return errc::truncated;

        const auto offset = static_cast<std::uint32_t>(at);
        switch (type) {
        case message_integrity::type:
            if (m.has_integrity()) break; // not seen: behind an earlier one
            if (size != 20) return errc::bad_attribute;
            m.integrity_ = m.visible_end_ = offset;
            break;
        case message_integrity_sha256::type:
            if (m.integrity_sha256_ != 0) break;
            if (size < 16 || size > 32 || size % 4 != 0) return errc::bad_attribute;
            m.integrity_sha256_ = offset;
            m.visible_end_ = std::min(m.visible_end_, offset);
            break;
        case fingerprint::type:
            if (m.fingerprint_ != 0) break; // two of them: the first is not last, so the check fails
            if (size != 4) return errc::bad_attribute;
            m.fingerprint_ = offset;
            break;
        default:
            break;
        }
        at += attribute_header_size + padded(size);
    }
    return m;
}

// RFC 8489, 5: the class is bits 4 and 8 of the first 16, the method the other twelve of the lower fourteen.

message_class message_view::cls() const noexcept {
    const unsigned type = load_u16(datagram_, 0);
    return static_cast<message_class>((type >> 7 & 2) | (type >> 4 & 1));
}

method message_view::method() const noexcept {
    const unsigned type = load_u16(datagram_, 0);
    return static_cast<stun::method>((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
}

transaction_id message_view::id() const noexcept {
    transaction_id id;
    std::copy_n(datagram_.begin() + 8, id.size(), id.begin());
    return id;
}

bool message_view::find(std::uint16_t type, bytes& value) const noexcept {
    std::size_t offset = header_size;
    return next(type, offset, value);
}

bool message_view::next(std::uint16_t type, std::size_t& offset, bytes& value) const noexcept {
    while (offset < datagram_.size()) {
        const std::size_t at = offset;
        offset = behind_attribute(datagram_, at);
        if (load_u16(datagram_, at) != type) continue;
        const bool visible = at < visible_end_ || at == integrity_ || at == integrity_sha256_ || at == fingerprint_;
        if (!visible) continue;
        value = datagram_.subspan(at + attribute_header_size, load_u16(datagram_, at + 2));
        return true;
    }
    return false;
}

std::size_t message_view::unknown_required(std::span<std::uint16_t> out) const noexcept {
    for (std::size_t at = header_size; at < visible_end_; at = behind_attribute(datagram_, at))
        if (is_unknown_required(load_u16(datagram_, at)))
            return list_unknown_required(datagram_.first(visible_end_), at, out);
    return 0;
}

result<void> message_view::check_integrity(const credential_key& key) const noexcept {
    if (!has_integrity()) return errc::missing_attribute;

    const std::size_t at = has_integrity_sha256() ? integrity_sha256_ : integrity_;
    const bytes before = datagram_.first(at);
    const bytes value = datagram_.subspan(at + attribute_header_size, load_u16(datagram_, at + 2));
    const std::size_t end = at + attribute_header_size + value.size();

    bool matches = false;
    if (has_integrity_sha256())
        // The sender may have cut the HMAC to its first bytes, at least 16 of them: RFC 8489, 14.6.
        matches = crypto::equal(bytes(integrity_sha256(before, end, key)).first(value.size()), value);
    else
        matches = crypto::equal(integrity_sha1(before, end, key), value);
    if (!matches) return errc::integrity_mismatch;
    return {};
}

result<void> message_view::check_fingerprint() const noexcept {
    if (!has_fingerprint()) return errc::missing_attribute;
    const std::size_t end = fingerprint_ + attribute_header_size + 4;
    if (end != datagram_.size()) return errc::integrity_mismatch;
    if (load_u32(datagram_, end - 4) != fingerprint_of(datagram_.first(fingerprint_))) return errc::integrity_mismatch;
    return {};
}

} // namespace turn::stun
