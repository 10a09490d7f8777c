#pragma once
/// Datagrams of somebody who has a password and no good intentions: messages of every method, spoilt before or after
/// they were signed, and bytes that are no message at all. The same ones for the same seed and insider.

#include <cstdint>
#include <random>
#include <string>

#include "support/wire.hpp"

namespace turn::test {

class hostile_datagrams {
public:
    struct insider {
        std::string username{}, realm{}, nonce{};
        stun::credential_key key{};
        transport_address peer{}; ///< whom valid messages name
    };
    static constexpr std::size_t largest = 65'507; ///< what one UDP datagram over IPv4 holds

    hostile_datagrams(std::uint32_t seed, insider who) : random_(seed), who_(std::move(who)) {}

    blob next();

private:
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_()) % n; }
    bool one_in(std::size_t n) { return below(n) == 0; }
    blob noise(std::size_t size);

    message header(stun::message_class, stun::method);
    message unsigned_request();
    message indication();
    /// Neither request nor indication, or a method nobody has.
    message stranger();

    // Each changes a message in one way; the length field follows where it says so, and lies elsewhere.
    void spoil(blob&);
    void flip_bits(blob&);
    void cut(blob&);
    void lengthen(blob&);
    void double_attribute(blob&); ///< the length field follows

    std::mt19937 random_;
    insider who_;
};

} // namespace turn::test
