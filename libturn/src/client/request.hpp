#pragma once
/// The requests a client makes, as values that can be written again with a new nonce: RFC 8656, 7.1, 8.1, 10.1,
/// 12.1 and RFC 6062, 4.3.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "turn/client.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"
#include "turn/stun/message.hpp"

namespace turn {

struct binding_request {};
struct allocate_request {
    allocate_wishes wishes;
    std::optional<std::chrono::seconds> lifetime;
};
struct refresh_request {
    std::optional<std::chrono::seconds> lifetime; ///< nothing: the server's default
    std::optional<address_family> family;
};
struct permission_request {
    std::vector<transport_address> peers;
};
struct channel_request {
    std::uint16_t number = 0;
    transport_address peer;
};
struct connect_request {
    transport_address peer;
};
struct connection_bind_request {
    connection_id connection{};
};
using request = std::variant<binding_request, allocate_request, refresh_request, permission_request, channel_request,
                             connect_request, connection_bind_request>;

stun::method method_of(const request&) noexcept;

/// What a request is signed with: learnt from a challenge. RFC 8489, 9.2.
struct session {
    std::string realm{};
    std::string nonce{};
    stun::credential_key key{};
    stun::password_algorithm_number algorithm = stun::password_algorithm_number::md5; ///< that made the key
    std::vector<std::byte> algorithms{};                  ///< PASSWORD-ALGORITHMS as it came; empty: it did not
    std::optional<stun::userhash::value_type> userhash{}; ///< in place of the name, when the server asks for it
};

/// Writes the request; signed as `username` by the session unless `with` is null. RFC 8489, 9.2.3.2 and 9.2.5.
/// Errors: no_capacity, bad_attribute (a value its attribute cannot hold).
result<bytes> write(const request&, const stun::transaction_id&, const client_options&, const session* with,
                    std::span<std::byte> out) noexcept;

} // namespace turn
