#pragma once
/// packet_io on the kernel's sockets: epoll, recvmmsg and sendmmsg, with GRO and GSO where the kernel has them.

#include <sys/epoll.h>

#include <vector>

#include "net/coalesce.hpp"
#include "net/receive_slots.hpp"
#include "net/transmit.hpp"
#include "net/udp_socket.hpp"

namespace turn::net {

class udp_sockets final : public packet_io {
public:
    /// `epoll` is an epoll descriptor of its own. Longer datagrams than `slot_size` are not delivered but counted.
    udp_sockets(const packet_io_options& options, const abilities& kernel, file_descriptor epoll,
                std::size_t slot_size = receive_slots::whole_packet);

    /// False: no memory for the receive buffers.
    explicit operator bool() const noexcept { return static_cast<bool>(slots_); }

    result<socket_id> open(const transport_address& local, const socket_options& options) override;
    result<socket_id> adopt(int number, const socket_options& options) override;
    int release(socket_id id) override;
    void close(socket_id id) override;
    [[nodiscard]] transport_address local_address(socket_id id) const override;
    [[nodiscard]] int descriptor(socket_id id) const override;

    std::span<const packet> receive() override;
    [[nodiscard]] std::span<const icmp_error> icmp_errors() const override { return icmp_errors_; }
    awake wait(std::chrono::milliseconds patience) override;
    result<void> also_watch(int descriptor) override;
    [[nodiscard]] int shared_set() const override { return epoll_.number(); }
    std::span<const readiness> take_shared() override;
    void send(std::span<const datagram> datagrams) override;
    [[nodiscard]] int native_handle() const override { return epoll_.number(); }

    [[nodiscard]] abilities what_works() const override { return kernel_; }
    [[nodiscard]] const net_counters& counters() const override { return books_; }

private:
    [[nodiscard]] const udp_socket* find(socket_id id) const noexcept;
    [[nodiscard]] udp_socket* find(socket_id id) noexcept;
    void fetch(socket_id id) const noexcept;

    /// `drops`: what the kernel had dropped on it before it was ours.
    result<socket_id> watch(file_descriptor opened, const transport_address& local, std::uint32_t drops,
                            const socket_options& options);
    [[nodiscard]] file_descriptor forget(socket_id id) noexcept;
    void book_kernel_drops(udp_socket& socket, std::uint32_t drops) noexcept;

    bool find_ready(std::chrono::milliseconds patience) noexcept;
    [[nodiscard]] bool take_turn(const epoll_event& event) noexcept;
    void deliver(socket_id id, udp_socket& socket, const receive_slots::arrival& a) noexcept;

    [[nodiscard]] bool may_leave(const datagram& d) noexcept;

    abilities kernel_;
    receive_reports reports_;
    net_counters books_;
    file_descriptor epoll_;

    std::vector<udp_socket> sockets_;
    std::vector<socket_id> free_ids_;
    std::vector<socket_id> resting_ids_; ///< closed since the last receive(): see there

    receive_slots slots_;
    std::vector<packet> received_;
    std::vector<icmp_error> icmp_errors_; ///< never grows: what does not fit waits on its socket
    std::vector<epoll_event> ready_;      ///< what epoll said; [next_ready_, ready_count_) is still to be served
    std::size_t next_ready_ = 0;
    std::size_t ready_count_ = 0;
    std::uint32_t round_ = 1;             ///< counts the questions to epoll
    bool others_ready_ = false;           ///< the last answer names a descriptor of also_watch()
    std::vector<readiness> shared_ready_; ///< of what others have put into the set, since take_shared(); never grows
    std::vector<readiness> shared_taken_;

    coalescer trains_;
    transmitter transmitter_;
    std::vector<socket_id> senders_; ///< whose trains wait in the batch being sent
};

} // namespace turn::net
