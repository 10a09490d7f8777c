#pragma once
/// A packet_io without a kernel: ports and queues in memory, with the manners of the real one.

#include <deque>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "turn/net/packet_io.hpp"

namespace turn::test {

class fake_packet_io;

/// Where the sockets of several fake_packet_io meet. Delivers at once, in order. One thread. Outlives its members.
class fake_ports {
public:
    std::size_t mtu = 65536; ///< what a datagram with DF set must fit into, IP and UDP headers included

private:
    friend class fake_packet_io;
    struct place {
        fake_packet_io* owner = nullptr;
        socket_id id{};
    };
    /// By textual address; more than one: an SO_REUSEPORT group in bind order.
    std::map<std::string, std::vector<place>> bound_;
    std::uint16_t next_port_ = 40000;
};

class fake_packet_io final : public net::packet_io {
public:
    explicit fake_packet_io(fake_ports& ports, const net::packet_io_options& options = {});
    ~fake_packet_io() override;
    fake_packet_io(const fake_packet_io&) = delete;
    fake_packet_io& operator=(const fake_packet_io&) = delete;

    result<socket_id> open(const transport_address& local, const net::socket_options& options) override;
    /// The fake has no descriptors: closes it. Errors: io, always.
    result<socket_id> adopt(int descriptor, const net::socket_options& options) override;
    int release(socket_id id) override;
    void close(socket_id id) override;
    [[nodiscard]] transport_address local_address(socket_id id) const override;
    [[nodiscard]] int descriptor(socket_id) const override { return -1; }

    std::span<const packet> receive() override;
    [[nodiscard]] std::span<const icmp_error> icmp_errors() const override { return icmp_errors_; }
    /// No packet can arrive while we sleep.
    awake wait(std::chrono::milliseconds patience) override;
    result<void> also_watch(int descriptor) override;
    void send(std::span<const datagram> datagrams) override;
    [[nodiscard]] int native_handle() const override { return event_; }

    [[nodiscard]] net::abilities what_works() const override;
    [[nodiscard]] const net_counters& counters() const override { return books_; }

    /// From now on the socket's send buffer is full, or no longer.
    void send_buffer_full(socket_id id, bool full) { sockets_.at(index(id)).send_buffer_full = full; }

private:
    struct waiting {
        transport_address from{};
        std::vector<std::byte> data{};
        std::uint8_t traffic_class = 0;
    };
    struct socket {
        bool is_open = false;
        bool send_buffer_full = false;
        bool reuse_port = false;
        net::socket_role role{};
        transport_address local{};
        std::size_t receive_buffer = 0;
        std::size_t bytes_waiting = 0;
        std::deque<waiting> queue{};
    };

    static std::size_t index(socket_id id) noexcept { return static_cast<std::size_t>(id); }
    [[nodiscard]] bool is_open(socket_id id) const noexcept;
    [[nodiscard]] reason refusal(const datagram& d) const;
    void carry(const datagram& d);
    void complain(const datagram& d, std::uint8_t code, std::size_t mtu);
    void arrive(socket_id id, const transport_address& from, const datagram& d);
    void take_one(socket_id id);
    void signal();

    fake_ports& ports_;
    net::packet_io_options options_;
    net_counters books_;
    int event_;
    bool signalled_ = false;
    std::vector<socket> sockets_;
    std::vector<socket_id> free_ids_;
    std::vector<socket_id> resting_ids_;
    std::size_t first_turn_ = 0;                   ///< whose turn it is: an index into sockets_
    std::vector<std::vector<std::byte>> memory_{}; ///< of the packets handed out last
    std::vector<packet> received_;
    std::vector<icmp_error> icmp_waiting_{};
    std::vector<icmp_error> icmp_errors_{}; ///< that the last receive() found
    std::vector<int> others_{};             ///< also watched
};

} // namespace turn::test
