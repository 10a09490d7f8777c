#pragma once
/// The listening sockets of turnd's HTTP service.

#include <string>

#include <sys/types.h>

#include "owned_descriptor.hpp"
#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

/// A unix socket that listens, mode 0660. Its file goes with it, unless another one has taken the place.
class unix_listener {
public:
    /// Takes the place of a socket that nobody listens at, and of nothing else. The error is in words.
    static turn::result<unix_listener, std::string> open(const std::string& path);
    unix_listener(unix_listener&&) noexcept = default;
    unix_listener& operator=(unix_listener&&) = delete;
    ~unix_listener();

    [[nodiscard]] int descriptor() const noexcept { return socket_.value(); }

private:
    unix_listener(owned_descriptor socket, std::string path);

    owned_descriptor socket_;
    std::string path_;
    ::dev_t device_{};
    ::ino_t inode_{};
};

/// A TCP socket that listens; port 0 is any, and `address` then says which. The error is in words.
turn::result<owned_descriptor, std::string> open_status_listener(turn::transport_address& address);

} // namespace turnd
