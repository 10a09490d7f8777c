#pragma once
/// Adding descriptors to an epoll set.

#include <sys/epoll.h>

#include <cstdint>

namespace turn::net {

/// From now on the set reports these events of `descriptor`, with `data`. False: errno says why.
inline bool epoll_add(int epoll, int descriptor, std::uint32_t data, std::uint32_t events = EPOLLIN) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u32 = data;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

} // namespace turn::net
