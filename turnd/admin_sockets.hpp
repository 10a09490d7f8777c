#pragma once
/// The listening sockets of turnd's HTTP service.

#include <string>
#include <utility>

#include <sys/types.h>
#include <unistd.h>

#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

/// A descriptor, and closing it.
class owned_descriptor {
public:
    owned_descriptor() = default;
    explicit owned_descriptor(int fd) noexcept : fd_(fd) {}
    owned_descriptor(owned_descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    owned_descriptor& operator=(owned_descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~owned_descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int value() const noexcept { return fd_; }

private:
    int fd_ = -1;
};

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
