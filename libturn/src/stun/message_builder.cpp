#include <algorithm>

#include "base/byte_order.hpp"
#include "stun/integrity.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/message.hpp"

namespace turn::stun {

namespace {

// The largest length field that is a multiple of four.
constexpr std::size_t largest_message = header_size + 0xfffc;

/// Attributes that close a message come in this order, each at most once: RFC 8489, 14.5 to 14.7. 0: all others.
constexpr std::uint8_t place_at_end(std::uint16_t type) noexcept {
    switch (type) {
    case message_integrity::type:
        return 1;
    case message_integrity_sha256::type:
        return 2;
    case fingerprint::type:
        return 3;
    default:
        return 0;
    }
}

constexpr std::uint16_t message_type(message_class cls, method m) noexcept {
    const auto c = static_cast<unsigned>(cls);
    const auto n = static_cast<unsigned>(m);
    return static_cast<std::uint16_t>((n & 0x000f) | (n & 0x0070) << 1 | (n & 0x0f80) << 2 | (c & 1) << 4 |
                                      (c & 2) << 7);
}

} // namespace

message_builder::message_builder(std::span<std::byte> out, message_class cls, stun::method m,
                                 const transaction_id& id) noexcept
    // Room in whole words: a value that fits then leaves room for its padding.
    : out_(out.first(std::min(out.size(), largest_message) & ~std::size_t{3})), id_(id) {
    if (out_.size() < header_size) {
        error_ = errc::no_capacity;
        return;
    }
    store_u16(out_, 0, message_type(cls, m));
    store_u32(out_, 4, magic_cookie);
    std::copy(id.begin(), id.end(), out_.begin() + 8);
    write_length(header_size);
    size_ = header_size;
}

message_builder& message_builder::integrity(const credential_key& key) noexcept {
    const bytes before = out_.first(size_);
    if (const auto room = begin_attribute(message_integrity::type); room.data() != nullptr) {
        const auto end = size_ + attribute_header_size + 20;
        end_attribute(message_integrity::encode(integrity_sha1(before, end, key), id_, room));
    }
    return *this;
}

message_builder& message_builder::integrity_sha256(const credential_key& key) noexcept {
    const bytes before = out_.first(size_);
    if (const auto room = begin_attribute(message_integrity_sha256::type); room.data() != nullptr) {
        const auto end = size_ + attribute_header_size + 32;
        end_attribute(message_integrity_sha256::encode(stun::integrity_sha256(before, end, key), id_, room));
    }
    return *this;
}

message_builder& message_builder::fingerprint() noexcept {
    const bytes before = out_.first(size_);
    if (const auto room = begin_attribute(stun::fingerprint::type); room.data() != nullptr) {
        write_length(size_ + attribute_header_size + 4);
        end_attribute(stun::fingerprint::encode(fingerprint_of(before), id_, room));
    }
    return *this;
}

result<bytes> message_builder::finish() noexcept {
    if (error_) return *error_;
    write_length(size_);
    return bytes(out_.first(size_));
}

std::span<std::byte> message_builder::begin_attribute(std::uint16_t type) noexcept {
    if (error_) return {};
    const std::uint8_t place = place_at_end(type);
    if (closed_ != 0 && place <= closed_) {
        error_ = errc::bad_attribute; // receivers would not see it
        return {};
    }
    if (out_.size() - size_ < attribute_header_size) {
        error_ = errc::no_capacity;
        return {};
    }
    closed_ = place;
    store_u16(out_, size_, type);
    return out_.subspan(size_ + attribute_header_size);
}

void message_builder::end_attribute(result<std::size_t> length) noexcept {
    if (!length) {
        error_ = length.error();
        return;
    }
    store_u16(out_, size_ + 2, static_cast<std::uint16_t>(*length));
    size_ += attribute_header_size + *length;
    while (size_ % 4 != 0) out_[size_++] = std::byte{0};
}

void message_builder::write_length(std::size_t total) noexcept {
    store_u16(out_, 2, static_cast<std::uint16_t>(total - header_size));
}

} // namespace turn::stun
