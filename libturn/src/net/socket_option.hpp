#pragma once
/// Socket options whose value is an int, which are nearly all.

#include <sys/socket.h>

namespace turn::net {

/// False: errno says why.
inline bool set_option(int descriptor, int level, int name, int value) noexcept {
    return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

} // namespace turn::net
