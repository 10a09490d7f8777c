#pragma once
/// A file descriptor with one owner. libturn has one of its own, which is none of its public headers.

#include <utility>

#include <unistd.h>

namespace turnd {

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

} // namespace turnd
