#include "file_text.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace turnd {
namespace {

class descriptor {
public:
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int value() const noexcept { return fd_; }

private:
    int fd_;
};

complaint cannot_read(int error) {
    return {"the file cannot be read: " + std::generic_category().message(error),
            error == ENOENT ? "create it or correct the path" : "let the user that runs turnd read it"};
}

} // namespace

parsed<std::string> read_file(const std::string& path, std::size_t max_bytes) {
    // Not blocking, so that a FIFO without a writer does not hang the start.
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.value() < 0) return cannot_read(errno);
    struct stat about {};
    if (::fstat(file.value(), &about) != 0) return cannot_read(errno);
    if (S_ISDIR(about.st_mode)) return complaint{"this is a directory", "name a file"};

    std::string text;
    char block[4096];
    for (;;) {
        const ssize_t n = ::read(file.value(), block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot_read(errno);
        if (n == 0) return text;
        text.append(block, static_cast<std::size_t>(n));
        if (text.size() > max_bytes)
            return complaint{fmt::format("the file is larger than {} bytes", max_bytes), "name the right file"};
    }
}

std::optional<complaint> check_file(const std::string& path) {
    if (path.empty()) return complaint{"the path is empty", "name a file"};
    auto text = read_file(path);
    if (!text) return text.error();
    const bool empty = text->empty();
    wipe(*text); // it may be a private key
    if (empty) return complaint{"the file is empty", "name another one"};
    return {};
}

std::vector<numbered_line> lines_of(std::string_view text) {
    std::vector<numbered_line> lines;
    unsigned number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        ++number;
        if (!line.empty()) lines.push_back({number, std::string(line)});
    }
    return lines;
}

void wipe(std::string& secret) noexcept {
    ::explicit_bzero(secret.data(), secret.size());
    secret.clear();
}

} // namespace turnd
