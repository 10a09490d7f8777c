#pragma once
/// STUN messages as a test wants them, well-formed or not, written without the library's own message_builder:
/// RFC 8489, 5 and 14.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"
#include "turn/stun/message.hpp"

namespace turn::test {

using blob = std::vector<std::byte>;

blob to_blob(std::string_view text);
blob to_blob(bytes data);
std::string to_text(bytes data);

/// Bytes of one STUN message, attribute by attribute. The length field follows every step, so the message may be
/// sent at any time; nothing is ever added that the test did not ask for.
class message {
public:
    message(stun::message_class, stun::method, const stun::transaction_id&);

    /// Appends an attribute encoded as its section says. A value it cannot hold is a mistake of the test: throws.
    template <stun::attribute A>
    message& with(const typename A::value_type& value) {
        for (const std::size_t room : {std::size_t{512}, std::size_t{66'000}}) {
            blob encoded(room);
            if (const auto length = A::encode(value, id_, encoded)) {
                return attribute(A::type, bytes(encoded).first(*length));
            } else if (length.error() != errc::no_capacity) {
                break;
            }
        }
        cannot_encode(A::type);
    }
    /// Appends an attribute of any type with any value; padded with `padding`.
    message& attribute(std::uint16_t type, bytes value, std::byte padding = std::byte{0});
    message& attribute(std::uint16_t type, std::string_view value);
    /// Appends bytes just as they are: lying lengths, half attributes.
    message& append(bytes anything);

    /// USERNAME, REALM and NONCE, each unless empty; remembers the key for integrity(). RFC 8489, 9.2.4.
    message& credentials(std::string_view user, std::string_view realm, std::string_view nonce,
                         const stun::credential_key&);
    /// MESSAGE-INTEGRITY with the remembered key, or with another one. More may be appended behind it.
    message& integrity();
    message& integrity(const stun::credential_key&);
    /// MESSAGE-INTEGRITY-SHA256, cut off to its first `size` bytes.
    message& integrity_sha256();
    message& integrity_sha256(const stun::credential_key&, std::size_t size = 32);
    /// FINGERPRINT; `flip` != 0 makes it wrong.
    message& fingerprint(std::uint32_t flip = 0);

    [[nodiscard]] const stun::transaction_id& id() const noexcept { return id_; }
    [[nodiscard]] stun::method method() const noexcept { return method_; }
    /// The remembered key; empty before credentials().
    [[nodiscard]] stun::credential_key key() const noexcept { return key_.value_or(stun::credential_key{}); }
    /// Whether credentials() was called and integrity() was not.
    [[nodiscard]] bool wants_signature() const noexcept { return key_ && !signed_; }
    /// The bytes so far, free to be spoilt.
    blob& raw() noexcept { return bytes_; }
    [[nodiscard]] bytes view() const noexcept { return bytes_; }

private:
    [[noreturn]] static void cannot_encode(std::uint16_t type);
    void write_length(std::size_t total) noexcept;

    blob bytes_{};
    stun::transaction_id id_{};
    stun::method method_{};
    std::optional<stun::credential_key> key_{};
    bool signed_ = false;
};

/// An answer, or the lack of one. Owns its bytes.
class answer {
public:
    answer() = default;
    answer(bytes raw, const transport_address& from) : raw_(to_blob(raw)), from_(from) {}

    explicit operator bool() const noexcept { return !raw_.empty(); }
    /// 0 for success, the ERROR-CODE of an error, -1 when no answer came, -2 when it is not STUN or an error
    /// without a code.
    [[nodiscard]] int code() const;
    /// Precondition: an answer came and is well-formed (throws otherwise).
    [[nodiscard]] stun::message_view view() const;
    [[nodiscard]] bytes raw() const noexcept { return raw_; }
    /// The address it came from.
    [[nodiscard]] const transport_address& from() const noexcept { return from_; }

    /// The attribute's value; nothing when it is absent, malformed or no answer came.
    template <stun::attribute A>
    [[nodiscard]] std::optional<typename A::value_type> get() const {
        if (!*this) return std::nullopt;
        if (auto value = view().template get<A>()) return *value;
        return std::nullopt;
    }
    template <stun::attribute A>
    [[nodiscard]] bool has() const {
        return *this && view().template has<A>();
    }
    /// Every well-formed value of this type, in order.
    template <stun::attribute A>
    [[nodiscard]] std::vector<typename A::value_type> all() const {
        std::vector<typename A::value_type> values;
        if (*this)
            view().template for_each<A>([&](const auto& value) {
                if (value) values.push_back(*value);
                return true;
            });
        return values;
    }
    /// Whether MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 is there and right.
    [[nodiscard]] bool signed_with(const stun::credential_key&) const;

private:
    blob raw_{};
    transport_address from_{};
};

/// What our challenges offer.
inline const stun::password_algorithms::value_type both_algorithms{
    .list = {{{stun::password_algorithm_number::sha256}, {stun::password_algorithm_number::md5}}}, .count = 2};

/// ChannelData with a length field of the payload's size, padded with `padding` zero bytes. RFC 8656, 12.4.
blob channel_data_message(std::uint16_t number, bytes payload, std::size_t padding = 0);

} // namespace turn::test
