#include "admin_sockets.hpp"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "error_words.hpp"

namespace turnd {
namespace {

constexpr int backlog = 64; ///< connections that wait for a thread
constexpr ::mode_t owner_and_group = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;

owned_descriptor open_socket(int family) {
    return owned_descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

sockaddr_un name_of(const std::string& path) noexcept {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(name.sun_path), path.data(), path.size());
    return name;
}

int bind_to(int fd, const sockaddr_un& name) noexcept {
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 ? 0 : errno;
}

/// Removes the file of a socket whose program is gone; says why not.
std::string remove_stale(const std::string& path, const sockaddr_un& name) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return words_of_error(errno);
    if (!S_ISSOCK(about.st_mode)) return "a file that is no socket is in its place";
    const owned_descriptor probe = open_socket(AF_UNIX);
    if (::connect(probe.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 || errno == EAGAIN)
        return "another program listens there; is turnd running already?";
    if (errno != ECONNREFUSED) return words_of_error(errno);
    return ::unlink(path.c_str()) == 0 ? "" : words_of_error(errno);
}

struct socket_name {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

socket_name name_of(const turn::transport_address& address) noexcept {
    socket_name name;
    if (address.is_ipv4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(address.port);
        std::memcpy(&v4.sin_addr, address.ip.data(), sizeof v4.sin_addr);
        std::memcpy(&name.storage, &v4, sizeof v4);
        name.size = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(address.port);
        std::memcpy(&v6.sin6_addr, address.ip.data(), sizeof v6.sin6_addr);
        std::memcpy(&name.storage, &v6, sizeof v6);
        name.size = sizeof v6;
    }
    return name;
}

std::uint16_t port_of(int fd) noexcept {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
    in_port_t port = 0; // at the same place in both families
    std::memcpy(&port, reinterpret_cast<const char*>(&name) + offsetof(sockaddr_in, sin_port), sizeof port);
    return ntohs(port);
}

} // namespace

turn::result<unix_listener, std::string> unix_listener::open(const std::string& path) {
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return std::string("the path of a socket has at most 107 characters");
    const sockaddr_un name = name_of(path);
    owned_descriptor socket = open_socket(AF_UNIX);
    if (socket.value() < 0) return words_of_error(errno);
    // The file is made with this mode, less what the umask takes away: never more open than it will be.
    ::fchmod(socket.value(), owner_and_group);
    int error = bind_to(socket.value(), name);
    if (error == EADDRINUSE) {
        if (std::string why = remove_stale(path, name); !why.empty()) return why;
        error = bind_to(socket.value(), name);
    }
    if (error != 0) return words_of_error(error);
    unix_listener made(std::move(socket), path);
    if (::chmod(path.c_str(), owner_and_group) != 0 || ::listen(made.descriptor(), backlog) != 0)
        return words_of_error(errno);
    return made;
}

unix_listener::unix_listener(owned_descriptor socket, std::string path)
    : socket_(std::move(socket)), path_(std::move(path)) {
    struct stat about {};
    if (::lstat(path_.c_str(), &about) != 0) return;
    device_ = about.st_dev;
    inode_ = about.st_ino;
}

unix_listener::~unix_listener() {
    struct stat about {};
    if (socket_.value() < 0 || ::lstat(path_.c_str(), &about) != 0) return;
    if (about.st_dev == device_ && about.st_ino == inode_) ::unlink(path_.c_str());
}

turn::result<owned_descriptor, std::string> open_status_listener(turn::transport_address& address) {
    owned_descriptor socket = open_socket(address.is_ipv4() ? AF_INET : AF_INET6);
    if (socket.value() < 0) return words_of_error(errno);
    const int yes = 1;
    ::setsockopt(socket.value(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); // for a restart at once
    if (!address.is_ipv4()) ::setsockopt(socket.value(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    const socket_name name = name_of(address);
    if (::bind(socket.value(), reinterpret_cast<const sockaddr*>(&name.storage), name.size) != 0 ||
        ::listen(socket.value(), backlog) != 0)
        return words_of_error(errno);
    address.port = port_of(socket.value());
    return socket;
}

} // namespace turnd
