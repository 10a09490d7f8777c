#pragma once
/// How the key of a user is made of his password: RFC 8489, 18.5.

#include <cstdint>

namespace turn::stun {

/// Any 16-bit value may arrive; the named ones are those we know.
enum class password_algorithm_number : std::uint16_t { md5 = 1, sha256 = 2 };

} // namespace turn::stun
