#include "stun/codec.hpp"

namespace turn::stun {

using namespace codec;

result<std::uint16_t> channel_number::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 4) return errc::bad_attribute;
    return load_u16(value, 0);
}

result<std::size_t> channel_number::encode(const value_type& v, const transaction_id&,
                                           std::span<std::byte> out) noexcept {
    return put_u32(std::uint32_t{v} << 16, out);
}

result<std::chrono::seconds> lifetime::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 4) return errc::bad_attribute;
    return std::chrono::seconds(load_u32(value, 0));
}

result<std::size_t> lifetime::encode(const value_type& v, const transaction_id&, std::span<std::byte> out) noexcept {
    if (v.count() < 0 || v.count() > 0xffffffffLL) return errc::bad_attribute;
    return put_u32(static_cast<std::uint32_t>(v.count()), out);
}

result<bytes> data::decode(bytes value, const transaction_id&) noexcept {
    return value;
}

result<std::size_t> data::encode(const value_type& v, const transaction_id&, std::span<std::byte> out) noexcept {
    return put(v, out);
}

result<even_port::value_type> even_port::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 1) return errc::bad_attribute;
    return value_type{(value[0] & std::byte{0x80}) != std::byte{0}};
}

result<std::size_t> even_port::encode(const value_type& v, const transaction_id&, std::span<std::byte> out) noexcept {
    return put(std::array{v.reserve_next ? std::byte{0x80} : std::byte{0}}, out);
}

result<std::uint8_t> requested_transport::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 4) return errc::bad_attribute;
    return std::to_integer<std::uint8_t>(value[0]);
}

result<std::size_t> requested_transport::encode(const value_type& v, const transaction_id&,
                                                std::span<std::byte> out) noexcept {
    return put_u32(std::uint32_t{v} << 24, out);
}

result<std::monostate> dont_fragment::decode(bytes value, const transaction_id&) noexcept {
    if (!value.empty()) return errc::bad_attribute;
    return std::monostate{};
}

result<std::size_t> dont_fragment::encode(const value_type&, const transaction_id&, std::span<std::byte>) noexcept {
    return std::size_t{0};
}

result<address_error_code::value_type> address_error_code::decode(bytes value, const transaction_id&) noexcept {
    const auto v = decode_coded_phrase(value);
    if (!v) return v.error();
    if (!is_family(value[0])) return errc::bad_attribute;
    return value_type{static_cast<address_family>(value[0]), v->code, v->phrase};
}

result<std::size_t> address_error_code::encode(const value_type& v, const transaction_id&,
                                               std::span<std::byte> out) noexcept {
    const auto family = static_cast<std::byte>(v.family);
    if (!is_family(family)) return errc::bad_attribute;
    return encode_coded_phrase(family, {v.code, v.phrase}, out);
}

result<turn::connection_id> connection_id::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 4) return errc::bad_attribute;
    return turn::connection_id{load_u32(value, 0)};
}

result<std::size_t> connection_id::encode(const value_type& v, const transaction_id&,
                                          std::span<std::byte> out) noexcept {
    return put_u32(static_cast<std::uint32_t>(v), out);
}

// RFC 8656, figure 11: 16 reserved bits, 7 of type and 9 of code. The types of ICMP errors fit (below 128 in ICMPv6).

result<icmp::value_type> icmp::decode(bytes value, const transaction_id&) noexcept {
    if (value.size() != 8) return errc::bad_attribute;
    const unsigned type_and_code = load_u16(value, 2);
    const unsigned code = type_and_code & 0x1ff;
    if (code > 0xff) return errc::bad_attribute;
    return value_type{static_cast<std::uint8_t>(type_and_code >> 9), static_cast<std::uint8_t>(code),
                      load_u32(value, 4)};
}

result<std::size_t> icmp::encode(const value_type& v, const transaction_id&, std::span<std::byte> out) noexcept {
    if (v.type > 0x7f) return errc::bad_attribute;
    if (out.size() < 8) return errc::no_capacity;
    store_u32(out, 0, std::uint32_t{v.type} << 9 | v.code);
    store_u32(out, 4, v.error_data);
    return 8;
}

} // namespace turn::stun
