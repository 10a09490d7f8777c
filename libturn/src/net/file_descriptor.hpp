#pragma once
/// A file descriptor with one owner.

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace turn::net {

class file_descriptor {
public:
    file_descriptor() noexcept = default;
    explicit file_descriptor(int number) noexcept : number_(number) {}
    file_descriptor(file_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    file_descriptor& operator=(file_descriptor&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~file_descriptor() { reset(); }

    explicit operator bool() const noexcept { return number_ >= 0; }
    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

    /// Closes it. errno stays as it was, so that an error on the way out keeps its cause.
    void reset() noexcept {
        if (number_ < 0) return;
        const int cause = errno;
        ::close(std::exchange(number_, -1));
        errno = cause;
    }

private:
    int number_ = -1;
};

} // namespace turn::net
