#include "support/namespaces.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace turn::test {

namespace {

void write_file(const char* path, std::string_view text) {
    const int file = ::open(path, O_WRONLY);
    if (file < 0 || ::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error(std::string(path) + ": " + std::strerror(errno));
    ::close(file);
}

void enter(const new_network& wanted) {
    const uid_t user = ::geteuid();
    if (::unshare(CLONE_NEWNET) != 0) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            throw std::runtime_error(std::string("unshare: ") + std::strerror(errno));
        // As root in there: other users lose their privilege when they start a program.
        write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
    }
    if (!wanted.ipv6) {
        write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        write_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1");
    }
    const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    if (::ioctl(any, SIOCSIFFLAGS, &loopback) != 0)
        throw std::runtime_error(std::string("loopback: ") + std::strerror(errno));
    ::close(any);
    ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    if (std::system(("set -e; " + wanted.setup).c_str()) != 0) throw std::runtime_error(wanted.setup);
    for (const auto& arguments : wanted.ip)
        if (std::system(("ip " + arguments).c_str()) != 0) throw std::runtime_error("ip " + arguments);
}

/// In the child: never returns, so that nothing of the parent's runs twice.
[[noreturn]] void tell(int pipe, const new_network& wanted, const std::function<std::string()>& story) {
    bool good = true;
    std::string text;
    try {
        enter(wanted);
        text = story();
    } catch (const std::exception& e) {
        text = e.what();
        good = false;
    } catch (...) { // a REQUIRE that failed in there, and has said so
        good = false;
    }
    good = ::write(pipe, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && good;
    ::_exit(good ? 0 : 1);
}

} // namespace

std::string in_new_network(const new_network& wanted, const std::function<std::string()>& story) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    std::fflush(nullptr); // or what is buffered would be written twice
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork");
    if (child == 0) tell(ends[1], wanted, story);
    ::close(ends[1]);

    std::string told;
    char buffer[512];
    for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        told.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) throw std::runtime_error("in the new network: " + told);
    return told;
}

} // namespace turn::test
