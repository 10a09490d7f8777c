#pragma once
/// STUN messages: RFC 8489, 5 and 6. A view over bytes that somebody else owns, and a writer.

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "turn/packet.hpp"
#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turn::stun {

struct credential_key; // turn/stun/credentials.hpp

enum class message_class : std::uint8_t { request = 0, indication = 1, success_response = 2, error_response = 3 };

/// Any 12-bit value may arrive; the named ones are those we know.
enum class method : std::uint16_t {
    binding = 0x001,
    allocate = 0x003,
    refresh = 0x004,
    send = 0x006,
    data = 0x007,
    create_permission = 0x008,
    channel_bind = 0x009, // RFC 8656, 17
    connect = 0x00a,
    connection_bind = 0x00b,
    connection_attempt = 0x00c, // RFC 6062, 6.1
};

using transaction_id = std::array<std::byte, 12>;

inline constexpr std::size_t header_size = 20;
inline constexpr std::uint32_t magic_cookie = 0x2112a442;

/// What an attribute type supplies: its number, its C++ value, and how the two convert.
/// One attribute = one struct in stun/attributes.hpp, one row in its test.
/// `encode` writes at most `out.size()` bytes and returns the value's length, or no_capacity.
template <class A>
concept attribute = requires(bytes value, const transaction_id& id, const typename A::value_type& v,
                             std::span<std::byte> out) {
    { A::type } -> std::convertible_to<std::uint16_t>;
    { A::decode(value, id) } -> std::same_as<result<typename A::value_type>>;
    { A::encode(v, id, out) } -> std::same_as<result<std::size_t>>;
};

/// A well-formed STUN message: header, cookie and every attribute's bounds have been checked.
/// There is no other way to get one ("parse, don't validate"), so the readers below cannot overrun.
/// Attributes behind MESSAGE-INTEGRITY are not seen (RFC 8489, 14.5), but for MESSAGE-INTEGRITY-SHA256 and FINGERPRINT.
/// Borrows the datagram: valid as long as its bytes are.
class message_view {
public:
    /// `datagram` must be one whole message: its length field has to fill it exactly.
    /// Errors: truncated, not_stun, bad_attribute. RFC 8489, 6.3.
    static result<message_view> parse(bytes datagram) noexcept;

    [[nodiscard]] message_class cls() const noexcept;
    [[nodiscard]] stun::method method() const noexcept;
    [[nodiscard]] transaction_id id() const noexcept;
    /// The whole message as it arrived.
    [[nodiscard]] bytes raw() const noexcept { return datagram_; }

    /// The first attribute of type A; later ones of the same type do not count. Errors: missing_attribute,
    /// bad_attribute.
    template <attribute A>
    result<typename A::value_type> get() const noexcept {
        bytes value;
        if (!find(A::type, value)) return errc::missing_attribute;
        return A::decode(value, id());
    }
    template <attribute A>
    [[nodiscard]] bool has() const noexcept {
        bytes value;
        return find(A::type, value);
    }
    /// Every attribute of type A in order, as result<value>; stops at the first for which visit returns false.
    template <attribute A, class Visit>
    void for_each(Visit&& visit) const {
        std::size_t offset = header_size;
        bytes value;
        while (next(A::type, offset, value))
            if (!visit(A::decode(value, id()))) return;
    }

    /// Comprehension-required types that we do not know, for the 420 answer: writes the first out.size() of them,
    /// returns how many there are. Each type is listed once. RFC 8489, 6.3.1.
    std::size_t unknown_required(std::span<std::uint16_t> out) const noexcept;

    [[nodiscard]] bool has_integrity() const noexcept { return integrity_ != 0 || integrity_sha256_ != 0; }
    [[nodiscard]] bool has_integrity_sha256() const noexcept { return integrity_sha256_ != 0; }
    [[nodiscard]] bool has_fingerprint() const noexcept { return fingerprint_ != 0; }
    /// Checks MESSAGE-INTEGRITY-SHA256 when present, else MESSAGE-INTEGRITY, in constant time; one HMAC computation.
    /// Errors: missing_attribute, integrity_mismatch. RFC 8489, 14.5 and 14.6.
    result<void> check_integrity(const credential_key& key) const noexcept;
    /// Errors: missing_attribute, integrity_mismatch (also when it is not the last attribute). RFC 8489, 14.7.
    result<void> check_fingerprint() const noexcept;

private:
    message_view() noexcept = default;
    bool find(std::uint16_t type, bytes& value) const noexcept;
    /// The next visible attribute of `type` at or behind `offset`; moves offset behind it.
    bool next(std::uint16_t type, std::size_t& offset, bytes& value) const noexcept;

    bytes datagram_{};
    // Offsets of attribute headers; 0 = absent (an attribute never starts at 0).
    std::uint32_t visible_end_ = 0; ///< ordinary attributes at or behind this are ignored
    std::uint32_t integrity_ = 0;
    std::uint32_t integrity_sha256_ = 0;
    std::uint32_t fingerprint_ = 0;
};

/// Writes one message front to back into `out`. Running out of room, or a value its attribute cannot hold, is
/// remembered, not thrown: finish() then reports it and nothing was written past the end. Padding is zero.
class message_builder {
public:
    message_builder(std::span<std::byte> out, message_class, stun::method, const transaction_id&) noexcept;

    template <attribute A>
    message_builder& add(const typename A::value_type& value) noexcept {
        if (std::span<std::byte> room = begin_attribute(A::type); room.data() != nullptr)
            end_attribute(A::encode(value, id_, room));
        return *this;
    }
    /// MESSAGE-INTEGRITY over everything so far, RFC 8489, 14.5. Only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT may
    /// follow; anything else is bad_attribute.
    message_builder& integrity(const credential_key& key) noexcept;
    /// MESSAGE-INTEGRITY-SHA256, untruncated, RFC 8489, 14.6.
    message_builder& integrity_sha256(const credential_key& key) noexcept;
    /// RFC 8489, 14.7. Must be last.
    message_builder& fingerprint() noexcept;
    /// Bytes written so far, header included.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// The finished message. Errors: no_capacity, bad_attribute.
    result<bytes> finish() noexcept;

private:
    std::span<std::byte> begin_attribute(std::uint16_t type) noexcept; ///< room for the value; null after an error
    void end_attribute(result<std::size_t> length) noexcept;           ///< length field, zero padding
    void write_length(std::size_t total) noexcept;

    std::span<std::byte> out_;
    transaction_id id_{};
    std::size_t size_ = 0;
    std::uint8_t closed_ = 0; ///< which of the closing attributes was written last; 0 = none
    std::optional<errc> error_{};
};

} // namespace turn::stun
