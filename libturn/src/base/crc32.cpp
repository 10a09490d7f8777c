#include "base/crypto.hpp"

namespace turn::crypto {

namespace {

constexpr std::uint32_t polynomial = 0xedb88320U; // 0x04C11DB7, bits reversed
constexpr std::size_t slices = 8;

// table[0] advances a CRC by one byte; table[k] by one byte that k zero bytes follow, so that eight bytes are folded
// in with eight independent look-ups.
constexpr auto table = [] {
    std::array<std::array<std::uint32_t, 256>, slices> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = crc & 1U ? crc >> 1 ^ polynomial : crc >> 1;
        t[0][i] = crc;
    }
    for (std::size_t k = 1; k < slices; ++k)
        for (std::size_t i = 0; i < 256; ++i) t[k][i] = t[k - 1][i] >> 8 ^ t[0][t[k - 1][i] & 0xff];
    return t;
}();

} // namespace

std::uint32_t crc32(bytes input) noexcept {
    std::uint32_t crc = 0xffffffffU;
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(input[i]); };
    while (input.size() >= slices) {
        crc ^= at(0) | at(1) << 8 | at(2) << 16 | at(3) << 24;
        crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24] ^
              table[3][at(4)] ^ table[2][at(5)] ^ table[1][at(6)] ^ table[0][at(7)];
        input = input.subspan(slices);
    }
    for (const std::byte b : input) crc = crc >> 8 ^ table[0][(crc ^ std::to_integer<std::uint32_t>(b)) & 0xff];
    return ~crc;
}

} // namespace turn::crypto
