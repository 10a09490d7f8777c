#pragma once
/// What turn-load is asked to do.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "turn/packet.hpp"

namespace turn::bench {

/// Whatever ends a run early; its text is for people.
struct trouble {
    std::string what;
};

/// What is at the server's address.
enum class target : std::uint8_t { turn, floor };

/// Those up to `mix` are relayed.
enum class workload : std::uint8_t {
    audio,
    indications,
    video,
    flow,
    flood,
    mix,
    binding,
    allocate,
    memory,
    churn,
    tcp_relay
};
std::string_view name(workload w) noexcept;

struct load_options {
    target at = target::turn;
    transport_address server{};
    transport_address tcp_server{}; ///< for the mix's clients over TCP; port 0: `server`
    pid_t pid = 0;                  ///< whose CPU time is measured; 0: nobody's
    std::string threads_named{};    ///< not empty: only of its threads whose name begins so
    std::string username{};
    std::string password{};

    workload work = workload::audio;
    std::size_t clients = 0;
    std::size_t peers = 0; ///< sockets shared by the flows' peers
    std::size_t size = 0;  ///< of a payload, in bytes
    std::size_t burst = 0; ///< packets sent at once
    /// Packets a second of each client and each direction, or units of all clients; 0: as many as return.
    double rate = 0;
    std::uint64_t cycles = 1'000'000;    ///< of churn
    std::uint64_t bytes = 4'000'000'000; ///< of tcp_relay, in each direction
    double flood_rate = 50'000;          ///< packets a second of the client that floods
    bool segmentation = false;           ///< GSO and GRO at our ends
    transport client = transport::udp;   ///< how clients reach the server; peers are always on UDP
    std::string ca_file{};               ///< whose certificates TLS clients believe; empty: they believe any

    std::chrono::milliseconds warm_up{1000};
    std::chrono::milliseconds window{4000};

    [[nodiscard]] bool relays() const noexcept { return work <= workload::mix; }
};

/// Nothing to do when `done`: then end with `status`.
struct parsed_options {
    load_options options{};
    bool done = false;
    int status = 0;
};
parsed_options parse_options(int argc, char** argv);

} // namespace turn::bench
