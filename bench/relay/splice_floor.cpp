/// turn-splice-floor: what joining two TCP connections costs at least: one thread, a pipe for each way, splice(), and
/// nothing else. Whom to connect a client with is taught by the generator, in the first bytes of the connection.
/// Usage: turn-splice-floor ADDRESS:PORT; the end of its stdin stops it.

#include <csignal>
#include <cstdio>
#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipv4.hpp"
#include "lesson.hpp"

namespace {

using namespace turn;

constexpr int pipe_size = 1'048'576;

/// One way of a pair: what comes from `from` goes into the pipe and on to `to`.
struct way {
    int from = -1, to = -1;
    int pipe_out = -1, pipe_in = -1;
    std::size_t in_pipe = 0;
    bool over = false;

    void go_on() noexcept {
        while (!over) {
            if (in_pipe == 0) {
                const ssize_t n =
                    ::splice(from, nullptr, pipe_in, nullptr, pipe_size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
                if (n < 0 && errno == EAGAIN) return;
                if (n <= 0) {
                    ::shutdown(to, SHUT_WR);
                    over = true;
                    return;
                }
                in_pipe = static_cast<std::size_t>(n);
            }
            const ssize_t n = ::splice(pipe_out, nullptr, to, nullptr, in_pipe, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
            if (n < 0 && errno == EAGAIN) return;
            if (n <= 0) {
                over = true;
                return;
            }
            in_pipe -= static_cast<std::size_t>(n);
        }
    }
};

struct pair {
    int client = -1, peer = -1;
    way up{}, down{};

    void close() noexcept {
        for (const int each : {client, peer, up.pipe_in, up.pipe_out, down.pipe_in, down.pipe_out})
            if (each >= 0) ::close(each);
        client = -1;
    }
};

bool make_pipe(way& w) noexcept {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return false;
    w.pipe_out = ends[0];
    w.pipe_in = ends[1];
    return ::fcntl(w.pipe_in, F_SETPIPE_SZ, pipe_size) >= 0;
}

/// Waits for the lesson, and for the peer: the generator does one after the other.
bool learn(pair& p, int client) {
    p.client = client;
    bench::lesson said;
    if (::recv(client, &said, sizeof said, MSG_WAITALL) != sizeof said) return false;
    const auto taught = bench::lesson::read(std::as_bytes(std::span(&said, 1)));
    if (!taught) return false;
    p.peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in name = bench::ipv4_name(taught->where);
    if (::connect(p.peer, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return false;
    if (!make_pipe(p.up) || !make_pipe(p.down)) return false;
    p.up.from = p.down.to = p.client;
    p.up.to = p.down.from = p.peer;
    const int yes = 1;
    for (const int each : {p.client, p.peer}) {
        ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        ::fcntl(each, F_SETFL, O_NONBLOCK);
    }
    return ::send(client, &said, sizeof said, MSG_NOSIGNAL) == sizeof said;
}

} // namespace

int main(int argc, char** argv) {
    const auto local = transport_address::parse(argc == 2 ? argv[1] : "");
    if (!local || !local->is_ipv4()) return std::fputs("usage: turn-splice-floor ADDRESS:PORT\n", stderr), 2;
    std::signal(SIGPIPE, SIG_IGN);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    const int yes = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in name = bench::ipv4_name(*local);
    socklen_t size = sizeof name;
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&name), size) != 0 || ::listen(listener, 64) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return std::perror("turn-splice-floor"), 1;
    std::printf("forwarding on %s\n", local->with_port(ntohs(name.sin_port)).to_string().c_str());
    std::fflush(stdout);

    const auto watch = [epoll](int descriptor, std::uint32_t events, void* who) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = who;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
    };
    int stop = STDIN_FILENO, come = listener; // whose addresses tell them from pairs
    watch(STDIN_FILENO, EPOLLIN, &stop);
    watch(listener, EPOLLIN, &come);
    std::vector<std::unique_ptr<pair>> pairs;
    for (;;) {
        epoll_event ready[64];
        const int n = ::epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < n; ++i) {
            void* const who = ready[i].data.ptr;
            if (who == &stop) return 0;
            if (who == &come) {
                auto made = std::make_unique<pair>();
                if (!learn(*made, ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC))) {
                    made->close();
                    continue;
                }
                watch(made->client, EPOLLIN | EPOLLOUT | EPOLLET, made.get());
                watch(made->peer, EPOLLIN | EPOLLOUT | EPOLLET, made.get());
                pairs.push_back(std::move(made));
                continue;
            }
            pair& p = *static_cast<pair*>(who);
            if (p.client < 0) continue; // both of its sockets were ready
            p.up.go_on();
            p.down.go_on();
            if (p.up.over && p.down.over) p.close();
        }
    }
}
