#pragma once
/// What the stories of the conformance tests share: the world, short words for its outcomes, addresses from text.

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "support/world.hpp"
#include "turn/stun/attributes.hpp"

namespace turn::test {

using namespace std::chrono_literals;

/// What answer::code() says beside an ERROR-CODE.
inline constexpr int success = 0;
inline constexpr int silence = -1;

using texts = std::vector<std::string>;

inline transport_address at(std::string_view text) {
    const auto address = transport_address::parse(text);
    REQUIRE(address);
    return *address;
}
inline transport_address ip(std::string_view text) {
    const auto address = transport_address::parse_ip(text);
    REQUIRE(address);
    return *address;
}
inline address_prefix prefix(std::string_view text) {
    const auto parsed = address_prefix::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

inline blob octets(std::initializer_list<int> values) {
    blob b;
    for (const int v : values) b.push_back(std::byte(v));
    return b;
}

/// A request somebody signs is refused with this code, and the refusal is signed in turn.
inline bool refused_signed(const answer& a, const raw_actor& who, int code) {
    return a.code() == code && a.signed_with(who.key());
}

inline std::string nonce_of(const answer& a) {
    const auto nonce = a.get<stun::nonce>();
    return nonce ? std::string(*nonce) : std::string();
}

/// A hand-made address attribute value: family, port and address bytes as they stand on the wire, not XORed.
inline blob address_value(int family, std::initializer_list<int> behind) {
    blob b = octets({0, family});
    for (const int v : behind) b.push_back(std::byte(v));
    return b;
}

} // namespace turn::test
