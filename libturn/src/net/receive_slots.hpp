#pragma once
/// The fixed buffers that recvmmsg fills, batch after batch.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "net/socket_address.hpp"
#include "turn/packet.hpp"

namespace turn::net {

class receive_slots {
public:
    /// Holds what the kernel can merge into one UDP_GRO packet.
    static constexpr std::size_t whole_packet = 65536;

    /// `count` ≥ 1 datagrams of at most `bytes_each`. Memory is resident only as far as packets reached into it.
    receive_slots(std::size_t count, std::size_t bytes_each);

    /// False: no memory.
    explicit operator bool() const noexcept { return memory_ != nullptr; }

    /// Forgets what was received: the next fill() overwrites it.
    void clear() noexcept;
    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    [[nodiscard]] bool full() const noexcept { return used_ == headers_.size(); }

    /// One system call for at most `most` datagrams, as far as slots are left; how many came. 0: nothing waits, or the
    /// socket reported an error. Preconditions: !full(), most ≥ 1.
    std::size_t fill(int descriptor, std::size_t most) noexcept;
    [[nodiscard]] std::size_t left() const noexcept { return headers_.size() - used_; }

    struct arrival {
        transport_address from{};
        bytes data{};
        std::uint16_t stride = 0;           ///< of a train merged by GRO; 0: a single datagram
        std::uint8_t traffic_class = 0;     ///< IP_TOS or IPV6_TCLASS, when the kernel says it
        bool truncated = false;             ///< it was longer than a slot
        std::optional<std::uint32_t> drops; ///< SO_RXQ_OVFL: the socket's drop count
    };
    /// What slot `index` received, counted from the last clear(). Valid until the slot is filled again.
    [[nodiscard]] arrival operator[](std::size_t index) const noexcept;

private:
    struct alignas(cmsghdr) control {
        // UDP_GRO, SO_RXQ_OVFL and the traffic class, and some room for what an adopted socket had switched on before.
        std::byte data[128];
    };
    struct unmapper {
        std::size_t size;
        void operator()(std::byte* memory) const noexcept;
    };

    void prepare(std::size_t slot) noexcept;

    std::unique_ptr<std::byte[], unmapper> memory_;
    std::vector<mmsghdr> headers_;
    std::vector<iovec> vectors_;
    std::vector<socket_address> names_;
    std::vector<control> controls_;
    std::size_t used_ = 0;
};

} // namespace turn::net
