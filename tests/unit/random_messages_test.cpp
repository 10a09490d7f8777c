/// Whatever arrives, the reader stays inside it and agrees with itself.

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

using namespace turn;
using namespace turn::stun;

namespace {

template <class... A>
std::size_t count_readable(const message_view& m) {
    return (std::size_t{0} + ... + (m.get<A>() ? 1 : 0));
}

std::size_t read_everything(const message_view& m) {
    const auto key = credential_key{{}, 16};
    std::array<std::uint16_t, 4> unknown{};
    (void)m.unknown_required(unknown);
    // Nearly nothing that is random carries a right MAC; that it is computed inside bounds is the point.
    CHECK_FALSE(m.check_integrity(key).has_value());
    (void)m.check_fingerprint();
    return count_readable<mapped_address, xor_mapped_address, username, userhash, message_integrity, realm, nonce,
                          software, turn::stun::alternate_server, alternate_domain, message_integrity_sha256,
                          fingerprint, error_code, unknown_attributes, password_algorithm, password_algorithms,
                          xor_peer_address, xor_relayed_address, requested_address_family, reservation_token,
                          additional_address_family, channel_number, lifetime, data, even_port, requested_transport,
                          dont_fragment, address_error_code, icmp>(m);
}

} // namespace

TEST_CASE("RFC 8489 6.3: random bytes behind a right header never read out of bounds") {
    std::mt19937 random(20240229);
    const auto byte = [&] { return static_cast<std::byte>(random() & 0xff); };
    constexpr std::uint16_t types[] = {0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x000c, 0x000d, 0x0012, 0x0013, 0x0014,
                                       0x0015, 0x0016, 0x0017, 0x0018, 0x0019, 0x001a, 0x001c, 0x001d, 0x001e, 0x0020,
                                       0x0022, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x8022, 0x8023, 0x8028, 0x7fff};
    constexpr std::size_t lengths[] = {0, 1, 4, 8, 16, 20};
    std::size_t parsed = 0;
    std::size_t read = 0;
    for (int round = 0; round < 200'000; ++round) {
        // Exactly as large as the message, so that the sanitizers see one byte too far.
        std::vector<std::byte> datagram(header_size + 4 * (random() % 16));
        std::ranges::generate(datagram, byte);
        datagram[0] &= std::byte{0x3f};
        datagram[2] = std::byte{0};
        datagram[3] = static_cast<std::byte>(datagram.size() - header_size);
        std::ranges::copy(std::array{std::byte{0x21}, std::byte{0x12}, std::byte{0xa4}, std::byte{0x42}},
                          datagram.begin() + 4);
        // A chain of attribute headers with plausible types and mostly plausible lengths.
        for (std::size_t at = header_size; at + 4 <= datagram.size();) {
            const auto type = types[random() % std::size(types)];
            const std::size_t length = random() % 4 == 0 ? random() % 40 : lengths[random() % std::size(lengths)];
            datagram[at] = static_cast<std::byte>(type >> 8);
            datagram[at + 1] = static_cast<std::byte>(type & 0xff);
            datagram[at + 2] = std::byte{0};
            datagram[at + 3] = static_cast<std::byte>(length);
            at += 4 + (length + 3) / 4 * 4;
        }
        if (const auto m = message_view::parse(datagram)) {
            ++parsed;
            read += read_everything(*m);
        }
    }
    // The generator is worth something only if it gets past the front door.
    CHECK(parsed > 40'000);
    CHECK(read > 20'000);
}

TEST_CASE("RFC 8489 6.3: purely random bytes are refused") {
    std::mt19937 random(7);
    for (int round = 0; round < 100'000; ++round) {
        std::vector<std::byte> datagram(random() % 64);
        std::ranges::generate(datagram, [&] { return static_cast<std::byte>(random() & 0xff); });
        CHECK_FALSE(message_view::parse(datagram).has_value());
    }
}
