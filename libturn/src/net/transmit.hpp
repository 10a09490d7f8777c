#pragma once
/// Hands the trains of one socket to the kernel, and books what became of every datagram.

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

#include "net/coalesce.hpp"
#include "net/socket_address.hpp"
#include "net/udp_socket.hpp"
#include "turn/counters.hpp"

namespace turn::net {

class transmitter {
public:
    explicit transmitter(net_counters& books) noexcept;

    /// Sends the chain of trains that begins at `socket.first_train`, in order. What fails is dropped and counted;
    /// nothing that fails keeps another datagram from leaving. May lower socket.largest_segment.
    void send(udp_socket& socket, std::span<const datagram> batch, const coalescer& trains) noexcept;

    /// Books a datagram that did not leave.
    void drop(const datagram& d, reason why) noexcept;

private:
    static constexpr std::size_t most_messages = coalescer::most_datagrams;
    static constexpr std::size_t vectors_a_datagram = 3; // head, body, pad

    /// Room for a segment size and a traffic class.
    struct alignas(cmsghdr) control_data {
        std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t)) + CMSG_SPACE(sizeof(int))> bytes;
    };
    struct pending {
        udp_socket& socket;
        std::span<const datagram> batch;
        const coalescer& trains;
    };

    template <class Value>
    static void add_control(msghdr& h, control_data& room, int level, int type, Value value) noexcept;
    static void add_traffic_class(msghdr& h, control_data& room, const datagram& d) noexcept;
    void write_message(const pending& work, std::uint32_t train_index) noexcept;
    void flush(const pending& work) noexcept;
    void retry(const pending& work, std::size_t message, int error) noexcept;
    void send_singly(const pending& work, const train& t, int error) noexcept;
    // These return 0 or errno.
    int send_alone(const udp_socket& socket, const datagram& d) noexcept;
    int send_again(const udp_socket& socket, const msghdr& message, int error) noexcept;
    int send_message(const udp_socket& socket, const msghdr& message) noexcept;

    void book_sent(const pending& work, const train& t) noexcept;
    void book_sent(const datagram& d) noexcept;
    void book_dropped(const pending& work, const train& t, reason why) noexcept;

    net_counters& books_;
    std::size_t messages_ = 0; ///< how many are written and not yet flushed
    std::size_t vectors_ = 0;
    std::array<mmsghdr, most_messages> headers_{};
    std::array<std::uint32_t, most_messages> train_of_{};
    std::array<socket_address, most_messages> names_{};
    std::array<control_data, most_messages> controls_{};
    std::array<iovec, most_messages * vectors_a_datagram> vectors_storage_{};
};

} // namespace turn::net
