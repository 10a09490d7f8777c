#pragma once
/// A relay with any number of allocations, one channel each, made the way clients make them; no sockets.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "turn/client.hpp"
#include "turn/relay.hpp"

namespace turn::bench {

inline transport_address address(const char* text) {
    const auto a = transport_address::parse(text);
    return *a;
}

/// Hands out relayed transport addresses without end: 192.0.2.0/24 has too few ports, so the IP counts too.
class endless_addresses final : public relay_addresses {
public:
    [[nodiscard]] bool supports(address_family f) const noexcept override { return f == address_family::ipv4; }
    result<bound> bind(address_family, transport, port_wish, time_point) noexcept override {
        const std::uint32_t n = next_++;
        transport_address a = address("203.0.113.1:1");
        a.ip[2] = static_cast<std::uint8_t>(n >> 14);
        a.port = static_cast<std::uint16_t>(49152 + (n & 0x3fff));
        return bound{socket_id{n + 1}, a, std::nullopt};
    }
    result<bound> redeem(const token&, time_point) noexcept override { return errc::not_found; }
    void cancel(const bound&) noexcept override {}

private:
    std::uint32_t next_ = 0;
};

/// One allocation as both its ends see it.
struct flow {
    transport_address client{};
    socket_id relay_socket{};
    transport_address peer{};
};

inline constexpr socket_id listener_socket{0};
inline constexpr std::uint16_t channel_number = 0x4000;

class established_relay {
public:
    explicit established_relay(std::size_t flows, std::uint64_t bandwidth = 0)
        : quota_({.total = flows + 1}), relay_({.max_allocations = flows + 1,
                                                .bandwidth_per_allocation = bandwidth,
                                                .unauthenticated_bytes_per_second = 0},
                                               {addresses_, quota_, nullptr}, stun::make_nonce_secret()) {
        relay_.add_listener(listener_socket, {address("192.0.2.1:3478"), "example.org"});
        flows_.reserve(flows);
        for (std::size_t i = 0; i < flows; ++i) flows_.push_back(establish(i));
        std::shuffle(flows_.begin(), flows_.end(), std::mt19937(1)); // the same order every time
    }

    [[nodiscard]] const std::vector<flow>& flows() const noexcept { return flows_; }
    [[nodiscard]] relay& core() noexcept { return relay_; }
    [[nodiscard]] time_point now() const noexcept { return now_; }

private:
    flow establish(std::size_t i) {
        flow f;
        f.client = numbered("10.0.0.0:1", i, 40000);
        f.peer = numbered("8.0.0.0:1", i, 20000);
        client ann({.server = address("192.0.2.1:3478"), .username = "ann", .password = "secret"});
        outbox to_server(8);
        ann.allocate({}, now_, to_server);
        run<client::allocated>(ann, f, to_server);
        f.relay_socket = socket_id{static_cast<std::uint32_t>(i) + 1};
        ann.bind_channel(channel_number, f.peer, now_, to_server);
        run<client::channel_bound>(ann, f, to_server);
        return f;
    }
    static transport_address numbered(const char* base, std::size_t i, std::uint16_t port) {
        transport_address a = address(base);
        a.ip[1] = static_cast<std::uint8_t>(i >> 16);
        a.ip[2] = static_cast<std::uint8_t>(i >> 8);
        a.ip[3] = static_cast<std::uint8_t>(i);
        a.port = static_cast<std::uint16_t>(port + i % 10000);
        return a;
    }
    /// Carries datagrams to and fro until the client says Event; a relay that refuses ends the benchmark.
    template <class Event>
    void run(client& c, const flow& f, outbox& to_server) {
        outbox to_client(8);
        for (int round = 0; round < 8; ++round) {
            for (const datagram& d : to_server.datagrams()) {
                const packet p{listener_socket, f.client, d.body, 0};
                batch_cursor at;
                relay_.handle({&p, 1}, at, now_, to_client);
            }
            for (const order& o : std::vector<order>(to_client.orders().begin(), to_client.orders().end()))
                if (const auto* wanted = std::get_if<credential_wanted>(&o))
                    relay_.credential_found(wanted->ticket, credential{.key = key_of(wanted->question)}, now_,
                                            to_client);
            to_server.clear();
            for (const datagram& d : to_client.datagrams()) {
                const auto event = c.handle(d.body, now_, to_server);
                if (event && std::holds_alternative<Event>(*event)) return to_server.clear();
            }
            to_client.clear();
        }
        std::abort();
    }

    endless_addresses addresses_;
    allocation_quota quota_;
    relay relay_;
    static stun::credential_key key_of(const credential_question& who) {
        return *stun::long_term_key(who.algorithm, "ann", who.realm, "secret");
    }
    std::vector<flow> flows_;
    time_point now_{std::chrono::hours(1)};
};

} // namespace turn::bench
