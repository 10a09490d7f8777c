#pragma once
/// How the generator teaches turn-floor whom to forward to: one datagram from the client's socket, one back.

#include <array>
#include <cstring>
#include <optional>

#include "turn/packet.hpp"

namespace turn::bench {

/// To the floor: "forward what I send to `where`". From the floor: "what is sent to `where` comes to you".
struct lesson {
    std::array<char, 12> magic{'t', 'u', 'r', 'n', '-', 'f', 'l', 'o', 'o', 'r', ' ', '1'};
    transport_address where{};

    static std::optional<lesson> read(bytes data) noexcept {
        lesson l;
        if (data.size() != sizeof l || std::memcmp(data.data(), l.magic.data(), l.magic.size()) != 0)
            return std::nullopt;
        std::memcpy(&l, data.data(), sizeof l);
        return l;
    }
};
static_assert(std::is_trivially_copyable_v<lesson>);
static_assert(sizeof(lesson) == 12 + 20);

} // namespace turn::bench
