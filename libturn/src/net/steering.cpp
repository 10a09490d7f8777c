#include "net/steering.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "net/udp_socket.hpp"

namespace turn::net {
namespace {

// Loads relative to the network header: the program itself is handed the packet from the UDP payload on.
constexpr std::uint32_t network = static_cast<std::uint32_t>(SKF_NET_OFF);

constexpr std::uint32_t ipv4_source = 12;
constexpr std::uint32_t ipv6_next_header = 6;
constexpr std::uint32_t ipv6_source = 8;
constexpr std::uint32_t ipv6_header_size = 40;

// Odd constants with bits all over; multiplying and folding spreads consecutive ports over the whole word.
constexpr std::uint32_t spread_1 = 0x9e3779b1U;
constexpr std::uint32_t spread_2 = 0x85ebca6bU;

constexpr sock_filter step(unsigned code, std::uint32_t k = 0) noexcept {
    return {static_cast<std::uint16_t>(code), 0, 0, k};
}
/// Skips `otherwise` instructions unless A == k.
constexpr sock_filter unless_equal(std::uint32_t k, std::uint8_t otherwise) noexcept {
    return {BPF_JMP | BPF_JEQ | BPF_K, 0, otherwise, k};
}

constexpr unsigned load_byte = BPF_LD | BPF_B | BPF_ABS;
constexpr unsigned load_half = BPF_LD | BPF_H | BPF_ABS;
constexpr unsigned load_half_at_x = BPF_LD | BPF_H | BPF_IND;
constexpr unsigned load_word = BPF_LD | BPF_W | BPF_ABS;
constexpr unsigned load_number = BPF_LD | BPF_IMM;
constexpr unsigned load_memory = BPF_LD | BPF_MEM;
constexpr unsigned a_to_x = BPF_MISC | BPF_TAX;
constexpr unsigned a_xor_x = BPF_ALU | BPF_XOR | BPF_X;
constexpr unsigned a_xor = BPF_ALU | BPF_XOR | BPF_K;
constexpr unsigned a_and = BPF_ALU | BPF_AND | BPF_K;
constexpr unsigned a_times = BPF_ALU | BPF_MUL | BPF_K;
constexpr unsigned a_right = BPF_ALU | BPF_RSH | BPF_K;
constexpr unsigned a_left = BPF_ALU | BPF_LSH | BPF_K;
constexpr unsigned a_modulo = BPF_ALU | BPF_MOD | BPF_K;
constexpr unsigned store = BPF_ST;
constexpr unsigned jump = BPF_JMP | BPF_JA;
constexpr unsigned give_a = BPF_RET | BPF_A;

constexpr std::uint32_t address = 0; // memory cells
constexpr std::uint32_t port = 1;

constexpr auto program_for(std::uint32_t sockets, std::uint32_t seed) noexcept {
    return std::array{
        step(load_number, 0),
        step(store, port),

        // IPv4: the port lies behind a header of variable length.
        step(load_byte, network),
        step(a_right, 4),
        unless_equal(4, 9), // to IPv6
        step(load_word, network + ipv4_source),
        step(store, address),
        step(load_byte, network),
        step(a_and, 0x0f),
        step(a_left, 2),
        step(a_to_x),
        step(load_half_at_x, network),
        step(store, port),
        step(jump, 18), // to the hash

        // IPv6: the words of the address are folded, each multiplied before the next joins.
        step(load_word, network + ipv6_source),
        step(a_times, spread_1),
        step(a_to_x),
        step(load_word, network + ipv6_source + 4),
        step(a_xor_x),
        step(a_times, spread_1),
        step(a_to_x),
        step(load_word, network + ipv6_source + 8),
        step(a_xor_x),
        step(a_times, spread_1),
        step(a_to_x),
        step(load_word, network + ipv6_source + 12),
        step(a_xor_x),
        step(store, address),
        step(load_byte, network + ipv6_next_header),
        unless_equal(IPPROTO_UDP, 2), // then the port's cell stays 0
        step(load_half, network + ipv6_header_size),
        step(store, port),

        // hash % sockets
        step(load_memory, port),
        step(a_times, spread_2),
        step(a_to_x),
        step(load_memory, address),
        step(a_xor, seed),
        step(a_xor_x),
        step(a_times, spread_1),
        step(a_to_x),
        step(a_right, 15),
        step(a_xor_x),
        step(a_times, spread_2),
        step(a_to_x),
        step(a_right, 13),
        step(a_xor_x),
        step(a_modulo, sockets),
        step(give_a),
    };
}

} // namespace

result<void> steer_by_source(int descriptor, unsigned sockets, std::uint32_t seed) noexcept {
    if (sockets < 2) return {};
    auto instructions = program_for(sockets, seed);
    const sock_fprog program{static_cast<unsigned short>(instructions.size()), instructions.data()};
    if (::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0) return errc::io;
    return {};
}

bool port_is_taken(const transport_address& local) noexcept {
    if (local.port == 0) return false;
    const auto alone = open_udp_socket(local, {});
    return !alone && errno == EADDRINUSE;
}

} // namespace turn::net
