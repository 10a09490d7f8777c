#pragma once
/// TURN clients and peers on real UDP sockets, for tests over loopback. Every call blocks until it has what it waits
/// for, but never longer than `patience`.

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "turn/client.hpp"
#include "turn/net/packet_io.hpp"

namespace turn::test {

/// Far more than anything on loopback takes; a test that waits so long has failed.
inline constexpr std::chrono::seconds patience{20};

/// "127.0.0.1:0" or "[::1]:0".
transport_address loopback(address_family = address_family::ipv4);
/// An address in 127.0.0.0/8 that no other process running these tests uses, for tests that need certain ports free.
transport_address own_loopback();

/// How a client reaches its server.
class client_wire {
public:
    virtual ~client_wire() = default;
    [[nodiscard]] virtual transport_address local() const = 0;
    [[nodiscard]] virtual socket_id id() const noexcept = 0;
    virtual void send(std::span<const datagram> messages) = 0;
    /// What has come by `until`, whole messages; empty: nothing. Valid until the next call.
    virtual std::span<const packet> receive(time_point until) = 0;
};

/// One UDP socket on the loopback of a family, or at an address of one's own, driven by poll().
class real_socket final : public client_wire {
public:
    explicit real_socket(address_family family) : real_socket(loopback(family)) {}
    explicit real_socket(const transport_address& local);

    [[nodiscard]] transport_address local() const override { return io_->local_address(id_); }
    [[nodiscard]] socket_id id() const noexcept override { return id_; }
    void send(std::span<const datagram> datagrams) override { io_->send(datagrams); }
    std::span<const packet> receive(time_point until) override;

private:
    std::unique_ptr<net::packet_io> io_;
    socket_id id_{};
};

struct arrival {
    transport_address from{};
    std::string text{};
};

/// Somebody without TURN.
class real_peer {
public:
    explicit real_peer(address_family family = address_family::ipv4) : socket_(family) {}
    explicit real_peer(const transport_address& local) : socket_(local) {}

    [[nodiscard]] transport_address local() const { return socket_.local(); }
    void send(const transport_address& to, std::string_view text);
    /// The next datagram; nothing when none comes in time.
    std::optional<arrival> receive();

private:
    real_socket socket_;
    std::deque<arrival> inbox_{};
};

/// turn::client with a socket of its own.
class real_client {
public:
    /// The success of a request, or its ERROR-CODE; 0: no answer.
    template <class Event>
    using outcome = result<Event, std::uint16_t>;

    explicit real_client(const transport_address& server, std::string username = "ann",
                         std::string password = "ann's password");
    /// By a connection, or whatever else reaches `server`.
    real_client(std::unique_ptr<client_wire>, const transport_address& server, std::string username = "ann",
                std::string password = "ann's password");

    [[nodiscard]] client_wire& wire() { return *wire_; }
    [[nodiscard]] transport_address local() const { return wire_->local(); }
    [[nodiscard]] std::string_view realm() const { return core_.realm(); } ///< of the last challenge
    outcome<client::mapped> bind();
    outcome<client::allocated> allocate(const allocate_wishes& = {});
    outcome<client::refreshed> refresh(std::chrono::seconds lifetime);
    outcome<client::permitted> permit(const transport_address& peer);
    outcome<client::channel_bound> bind_channel(std::uint16_t number, const transport_address& peer);

    /// Starts an Allocate and does not wait.
    void start_allocate();
    /// By channel when one is bound, else by indication.
    void send(const transport_address& peer, std::string_view text);
    /// The next application data from a peer; nothing when none comes in time.
    std::optional<arrival> receive();
    /// The next peer that the network could not reach; nothing when nobody says so in time. 0 s: of which word has
    /// come.
    std::optional<client::peer_unreachable> unreachable(std::chrono::seconds within = patience);

private:
    struct failure {
        std::uint16_t code;
    };
    using news = std::variant<client::mapped, client::allocated, client::refreshed, client::permitted,
                              client::channel_bound, failure>;

    template <class Event>
    outcome<Event> await();
    /// Waits until something has come or is due, and has the client handle it; false when `until` has passed.
    bool step(time_point until);
    void note(const client::event&);
    void flush();

    std::unique_ptr<client_wire> wire_;
    client core_;
    outbox out_{16};
    std::deque<news> news_{};
    std::deque<client::peer_unreachable> unreachable_{};
    std::deque<arrival> inbox_{};
};

} // namespace turn::test
