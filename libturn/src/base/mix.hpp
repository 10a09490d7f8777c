#pragma once
/// A fast seeded hash for table keys. The seed is secret, so that strangers cannot aim at one bucket.

#include <cstdint>
#include <cstring>

#include "turn/transport_address.hpp"

namespace turn {

/// Folds the 128-bit product: every input bit reaches every output bit.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using wide = unsigned __int128;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct seeded_mix {
    std::uint64_t seed = 0;

    [[nodiscard]] std::uint64_t operator()(const transport_address& a, std::uint64_t more) const noexcept {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        std::memcpy(&low, a.ip.data(), 8);
        std::memcpy(&high, a.ip.data() + 8, 8);
        const auto rest = std::uint64_t{a.port} << 8 | static_cast<std::uint64_t>(a.family);
        const std::uint64_t first = fold(low ^ seed, high ^ 0x9e3779b97f4a7c15U);
        return fold(first ^ more ^ (rest << 32), seed ^ 0xd1342543de82ef95U);
    }
};

} // namespace turn
