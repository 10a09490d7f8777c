#include "net/receive_slots.hpp"

#include <netinet/udp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace turn::net {
namespace {

// Slots of exactly 64 KiB would make the first lines of all packets compete for the same few sets of the cache.
constexpr std::size_t stagger = 33 * 64;

template <class T>
T value_of(const cmsghdr& c) noexcept {
    T value{};
    std::memcpy(&value, CMSG_DATA(&c), sizeof value);
    return value;
}

} // namespace

receive_slots::receive_slots(std::size_t count, std::size_t bytes_each)
    : memory_(nullptr, unmapper{0}), headers_(count), vectors_(count), names_(count), controls_(count) {
    const std::size_t distance = bytes_each + stagger;
    const std::size_t size = count * distance;
    void* const mapped =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return;
    ::madvise(mapped, size, MADV_NOHUGEPAGE); // one packet of 100 bytes shall not make 2 MiB resident
    memory_ = std::unique_ptr<std::byte[], unmapper>(static_cast<std::byte*>(mapped), unmapper{size});

    for (std::size_t slot = 0; slot < count; ++slot) {
        vectors_[slot] = {memory_.get() + slot * distance, bytes_each};
        msghdr& h = headers_[slot].msg_hdr;
        h.msg_iov = &vectors_[slot];
        h.msg_iovlen = 1;
        h.msg_name = &names_[slot];
        h.msg_control = &controls_[slot];
        prepare(slot);
    }
}

void receive_slots::clear() noexcept {
    for (std::size_t slot = 0; slot < used_; ++slot) prepare(slot);
    used_ = 0;
}

std::size_t receive_slots::fill(int descriptor, std::size_t most) noexcept {
    assert(!full() && most >= 1);
    std::size_t arrived = 0;
    if (most == 1) { // recvmmsg would be the dearer call
        const ssize_t n = ::recvmsg(descriptor, &headers_[used_].msg_hdr, MSG_DONTWAIT);
        arrived = n >= 0 ? 1 : 0;
        if (n >= 0) headers_[used_].msg_len = static_cast<unsigned>(n);
    } else {
        const auto room = static_cast<unsigned>(std::min(most, left()));
        const int n = ::recvmmsg(descriptor, &headers_[used_], room, MSG_DONTWAIT, nullptr);
        arrived = n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    used_ += arrived;
    return arrived;
}

receive_slots::arrival receive_slots::operator[](std::size_t index) const noexcept {
    const msghdr& h = headers_[index].msg_hdr;
    arrival a;
    a.from = from_socket_address(names_[index]);
    a.data = {static_cast<const std::byte*>(vectors_[index].iov_base), headers_[index].msg_len};
    a.truncated = (h.msg_flags & MSG_TRUNC) != 0;
    for (const cmsghdr* c = CMSG_FIRSTHDR(&h); c != nullptr;
         c = CMSG_NXTHDR(const_cast<msghdr*>(&h), const_cast<cmsghdr*>(c))) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
            a.stride = static_cast<std::uint16_t>(value_of<int>(*c));
        else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
            a.drops = value_of<std::uint32_t>(*c);
        else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS)
            a.traffic_class = value_of<std::uint8_t>(*c);
        else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS)
            a.traffic_class = static_cast<std::uint8_t>(value_of<int>(*c));
    }
    return a;
}

/// The kernel wrote the lengths of what it received; it reads them as the room there is.
void receive_slots::prepare(std::size_t slot) noexcept {
    msghdr& h = headers_[slot].msg_hdr;
    h.msg_namelen = sizeof names_[slot];
    h.msg_controllen = sizeof controls_[slot];
    h.msg_flags = 0;
}

void receive_slots::unmapper::operator()(std::byte* memory) const noexcept {
    ::munmap(memory, size);
}

} // namespace turn::net
