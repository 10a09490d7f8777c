#pragma once
/// Socket options whose value is an int, which are nearly all.

#include <sys/socket.h>

#include <cerrno>

namespace turn::net {

/// False: errno says why.
inline bool set_option(int descriptor, int level, int name, int value) noexcept {
    return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

/// What the socket has failed with since somebody last asked, as errno has it; 0: nothing.
inline int take_error(int descriptor) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

} // namespace turn::net
