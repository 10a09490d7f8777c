#include "turn/stun/attributes.hpp"

#include "stun/codec.hpp"

namespace turn::stun {

using namespace codec;

namespace {

constexpr std::size_t ip_size(address_family family) noexcept {
    return family == address_family::ipv4 ? 4 : 16;
}

/// Zero, family, port, address: RFC 8489, 14.1.
result<transport_address> decode_address(bytes value) noexcept {
    if (value.size() < 8 || !is_family(value[1])) return errc::bad_attribute;
    transport_address a;
    a.family = static_cast<address_family>(value[1]);
    if (value.size() != 4 + ip_size(a.family)) return errc::bad_attribute;
    a.port = load_u16(value, 2);
    const bytes ip = value.subspan(4);
    std::copy(ip.begin(), ip.end(), std::as_writable_bytes(std::span(a.ip)).begin());
    return a;
}

result<std::size_t> encode_address(const transport_address& a, std::span<std::byte> out) noexcept {
    if (!is_family(static_cast<std::byte>(a.family))) return errc::bad_attribute;
    const std::size_t size = 4 + ip_size(a.family);
    if (out.size() < size) return errc::no_capacity;
    out[0] = std::byte{0};
    out[1] = static_cast<std::byte>(a.family);
    store_u16(out, 2, a.port);
    std::copy_n(std::as_bytes(std::span(a.ip)).begin(), ip_size(a.family), out.begin() + 4);
    return size;
}

/// Its own inverse: the port with the upper half of the cookie, the address with cookie and transaction id.
transport_address exclusive_or(transport_address a, const transaction_id& id) noexcept {
    std::array<std::byte, 16> mask;
    store_u32(mask, 0, magic_cookie);
    std::copy(id.begin(), id.end(), mask.begin() + 4);

    a.port = static_cast<std::uint16_t>(a.port ^ (magic_cookie >> 16));
    for (std::size_t i = 0; i < ip_size(a.family); ++i)
        a.ip[i] = static_cast<std::uint8_t>(a.ip[i] ^ std::to_integer<unsigned>(mask[i]));
    return a;
}

} // namespace

namespace codec {

result<coded_phrase> decode_coded_phrase(bytes value) noexcept {
    if (value.size() < 4 || value.size() > 4 + longest_phrase) return errc::bad_attribute;
    const unsigned hundreds = std::to_integer<unsigned>(value[2]) & 7;
    const unsigned number = std::to_integer<unsigned>(value[3]);
    if (hundreds < 3 || hundreds > 6 || number > 99) return errc::bad_attribute;
    return coded_phrase{static_cast<std::uint16_t>(hundreds * 100 + number), as_text(value.subspan(4))};
}

result<std::size_t> encode_coded_phrase(std::byte first, coded_phrase v, std::span<std::byte> out) noexcept {
    if (v.code < 300 || v.code > 699 || v.phrase.size() > longest_phrase) return errc::bad_attribute;
    if (out.size() < 4) return errc::no_capacity;
    out[0] = first;
    out[1] = std::byte{0};
    out[2] = static_cast<std::byte>(v.code / 100);
    out[3] = static_cast<std::byte>(v.code % 100);
    const auto phrase = put(as_bytes(v.phrase), out.subspan(4));
    if (!phrase) return phrase.error();
    return 4 + *phrase;
}

} // namespace codec

template <std::uint16_t Type>
result<transport_address> address_attribute<Type>::decode(bytes value, const transaction_id&) noexcept {
    return decode_address(value);
}

template <std::uint16_t Type>
result<std::size_t> address_attribute<Type>::encode(const value_type& v, const transaction_id&,
                                                    std::span<std::byte> out) noexcept {
    return encode_address(v, out);
}

template <std::uint16_t Type>
result<transport_address> xor_address_attribute<Type>::decode(bytes value, const transaction_id& id) noexcept {
    const auto a = decode_address(value);
    if (!a) return a.error();
    return exclusive_or(*a, id);
}

template <std::uint16_t Type>
result<std::size_t> xor_address_attribute<Type>::encode(const value_type& v, const transaction_id& id,
                                                        std::span<std::byte> out) noexcept {
    return encode_address(exclusive_or(v, id), out);
}

template <std::uint16_t Type, std::size_t MaxBytes>
result<std::string_view> text_attribute<Type, MaxBytes>::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() > MaxBytes) return errc::bad_attribute;
    return as_text(value);
}

template <std::uint16_t Type, std::size_t MaxBytes>
result<std::size_t> text_attribute<Type, MaxBytes>::encode(const value_type& v, const transaction_id&,
                                                           std::span<std::byte> out) noexcept {
    if (v.size() > MaxBytes) return errc::bad_attribute;
    return put(as_bytes(v), out);
}

template <std::uint16_t Type, std::size_t Size>
result<std::array<std::byte, Size>> bytes_attribute<Type, Size>::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != Size) return errc::bad_attribute;
    value_type v;
    std::copy(value.begin(), value.end(), v.begin());
    return v;
}

template <std::uint16_t Type, std::size_t Size>
result<std::size_t> bytes_attribute<Type, Size>::encode(const value_type& v, const transaction_id&,
                                                        std::span<std::byte> out) noexcept {
    return put(v, out);
}

template <std::uint16_t Type>
result<address_family> family_attribute<Type>::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 4) return errc::bad_attribute;
    return static_cast<address_family>(value[0]);
}

template <std::uint16_t Type>
result<std::size_t> family_attribute<Type>::encode(const value_type& v, const transaction_id&,
                                                   std::span<std::byte> out) noexcept {
    return put_u32(std::uint32_t{static_cast<std::uint8_t>(v)} << 24, out);
}

// Every attribute named in the header; a new one there does not link until it is listed here.
template struct address_attribute<mapped_address::type>;
template struct address_attribute<alternate_server::type>;
template struct xor_address_attribute<xor_mapped_address::type>;
template struct xor_address_attribute<xor_peer_address::type>;
template struct xor_address_attribute<xor_relayed_address::type>;
template struct text_attribute<username::type, username::max_bytes>;
template struct text_attribute<realm::type, realm::max_bytes>;
template struct text_attribute<nonce::type, nonce::max_bytes>;
template struct text_attribute<software::type, software::max_bytes>;
template struct text_attribute<alternate_domain::type, alternate_domain::max_bytes>;
template struct bytes_attribute<userhash::type, 32>;
template struct bytes_attribute<message_integrity::type, 20>;
template struct bytes_attribute<reservation_token::type, 8>;
template struct family_attribute<requested_address_family::type>;
template struct family_attribute<additional_address_family::type>;

result<bytes> message_integrity_sha256::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() < 16 || value.size() > 32 || value.size() % 4 != 0) return errc::bad_attribute;
    return value;
}

result<std::size_t> message_integrity_sha256::encode(const value_type& v, const transaction_id&,
                                                     std::span<std::byte> out) noexcept {
    if (v.size() < 16 || v.size() > 32 || v.size() % 4 != 0) return errc::bad_attribute;
    return put(v, out);
}

result<std::uint32_t> fingerprint::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 4) return errc::bad_attribute;
    return load_u32(value, 0);
}

result<std::size_t> fingerprint::encode(const value_type& v, const transaction_id&, std::span<std::byte> out) noexcept {
    return put_u32(v, out);
}

result<error_code::value_type> error_code::decode(bytes value, const transaction_id&) noexcept {
    const auto v = decode_coded_phrase(value);
    if (!v) return v.error();
    return value_type{v->code, v->phrase};
}

result<std::size_t> error_code::encode(const value_type& v, const transaction_id&, std::span<std::byte> out) noexcept {
    return encode_coded_phrase(std::byte{0}, {v.code, v.phrase}, out);
}

result<unknown_attributes::value_type> unknown_attributes::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() % 2 != 0) return errc::bad_attribute;
    value_type v;
    v.count = std::min(v.types.size(), value.size() / 2);
    for (std::size_t i = 0; i < v.count; ++i) v.types[i] = load_u16(value, 2 * i);
    return v;
}

result<std::size_t> unknown_attributes::encode(const value_type& v, const transaction_id&,
                                               std::span<std::byte> out) noexcept {
    if (v.count > v.types.size()) return errc::bad_attribute;
    if (out.size() < 2 * v.count) return errc::no_capacity;
    for (std::size_t i = 0; i < v.count; ++i) store_u16(out, 2 * i, v.types[i]);
    return 2 * v.count;
}

} // namespace turn::stun
