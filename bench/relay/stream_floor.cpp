/// turn-stream-floor: what relaying between a client's TCP connection and its peer's UDP socket costs at least: one
/// epoll set a thread, connections edge-triggered, one recv() and one send for each message, and nothing of TURN but
/// the four bytes in front of a message. Whom to forward to is taught by the generator. Usage: turn-stream-floor
/// ADDRESS:PORT THREADS; the end of its stdin stops it.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipv4.hpp"
#include "lesson.hpp"
#include "turn/channel_data.hpp"

namespace {

using namespace turn;

constexpr std::size_t read_size = 65'536;
constexpr std::size_t largest_payload = 65'535;
constexpr std::uint64_t the_listener = ~std::uint64_t{0};

transport_address address_of(int socket) noexcept {
    sockaddr_in name{};
    socklen_t size = sizeof name;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size);
    return bench::from_ipv4(name);
}

/// A client, and where what it says goes.
struct flow {
    int client = -1, relay = -1;
    sockaddr_in peer{};
    std::vector<std::byte> partial{};

    void close() noexcept {
        ::close(client);
        ::close(relay);
        client = relay = -1;
    }
};

/// One thread's share of the flows.
class forwarder {
public:
    /// Check with ok().
    explicit forwarder(const transport_address& local) : local_(bench::ipv4_name(local)) {
        const int yes = 1;
        ok_ = epoll_ >= 0 && listener_ >= 0 &&
              ::setsockopt(listener_, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0 &&
              ::bind(listener_, reinterpret_cast<const sockaddr*>(&local_), sizeof local_) == 0 &&
              ::listen(listener_, 1024) == 0 && watch(listener_, the_listener, EPOLLIN);
    }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] transport_address address() const noexcept { return address_of(listener_); }

    /// Until the process ends.
    void run() {
        std::array<epoll_event, 256> ready{};
        for (;;) {
            const int n = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), -1);
            for (int i = 0; i < n; ++i) {
                const std::uint64_t what = ready[static_cast<std::size_t>(i)].data.u64;
                if (what == the_listener)
                    accept();
                else if (flow& f = flows_[what / 2]; f.client < 0)
                    continue; // closed a moment ago
                else if (what % 2 == 0)
                    up(f);
                else
                    down(f);
            }
        }
    }

private:
    [[nodiscard]] bool watch(int descriptor, std::uint64_t what, std::uint32_t events) const noexcept {
        epoll_event event{};
        event.events = events;
        event.data.u64 = what;
        return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0;
    }

    void accept() {
        flow f;
        const int yes = 1;
        f.client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        f.relay = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in here = local_;
        here.sin_port = 0;
        if (f.client < 0 || f.relay < 0 || ::setsockopt(f.client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
            ::bind(f.relay, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
            !watch(f.client, 2 * flows_.size(), EPOLLIN | EPOLLET) || !watch(f.relay, 2 * flows_.size() + 1, EPOLLIN)) {
            std::perror("turn-stream-floor: no sockets for a flow");
            std::exit(1);
        }
        flows_.push_back(std::move(f));
    }

    void up(flow& f) {
        for (;;) {
            const std::size_t before = f.partial.size();
            std::copy(f.partial.begin(), f.partial.end(), room_.begin());
            const ssize_t n = ::recv(f.client, room_.data() + before, read_size, 0);
            if (n <= 0) {
                if (n == 0 || errno != EAGAIN) f.close();
                return;
            }
            const std::size_t done = cut(f, bytes(room_).first(before + static_cast<std::size_t>(n)));
            f.partial.assign(room_.data() + done, room_.data() + before + n);
            if (static_cast<std::size_t>(n) < read_size) return; // the edge comes again with what comes next
        }
    }

    /// Forwards whole messages; how many bytes they have.
    std::size_t cut(flow& f, bytes received) {
        std::size_t done = 0;
        while (received.size() - done >= channel_data_header_size) {
            const auto message = channel_data::parse(received.subspan(done));
            if (!message) break; // there is more to come
            const std::size_t length = message->payload.size();
            const std::size_t end = done + channel_data_header_size + length + padding_of(length);
            if (end > received.size()) break;
            forward(f, message->payload);
            done = end;
        }
        return done;
    }

    void forward(flow& f, bytes body) {
        if (const auto taught = bench::lesson::read(body)) return learn(f, *taught);
        static_cast<void>(
            ::sendto(f.relay, body.data(), body.size(), 0, reinterpret_cast<const sockaddr*>(&f.peer), sizeof f.peer));
    }

    void learn(flow& f, const bench::lesson& taught) {
        f.peer = bench::ipv4_name(taught.where);
        bench::lesson answer;
        answer.where = address_of(f.relay);
        std::memcpy(message_.data() + channel_data_header_size, &answer, sizeof answer);
        say(f, sizeof answer);
    }

    void down(flow& f) {
        const ssize_t n = ::recv(f.relay, message_.data() + channel_data_header_size, largest_payload, 0);
        if (n >= 0) say(f, static_cast<std::size_t>(n)); // what more there is keeps the socket ready
    }

    /// What stands behind the header's place in message_.
    void say(flow& f, std::size_t length) {
        std::ranges::copy(channel_data_header(0x4000, static_cast<std::uint16_t>(length)), message_.begin());
        const std::size_t padded = channel_data_header_size + length + padding_of(length);
        if (::send(f.client, message_.data(), padded, MSG_NOSIGNAL) == static_cast<ssize_t>(padded)) return;
        f.close(); // half a message on a stream would be the end of it, anyway
    }

    sockaddr_in local_;
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok_ = false;
    std::vector<flow> flows_{};
    std::vector<std::byte> room_ = std::vector<std::byte>(3 * read_size);    ///< what a client said
    std::vector<std::byte> message_ = std::vector<std::byte>(2 * read_size); ///< to a client
};

} // namespace

int main(int argc, char** argv) {
    auto local = transport_address::parse(argc == 3 ? argv[1] : "");
    const int threads = argc == 3 ? std::atoi(argv[2]) : 0;
    if (!local || !local->is_ipv4() || threads < 1 || threads > 64)
        return std::fputs("usage: turn-stream-floor ADDRESS:PORT THREADS\n", stderr), 2;
    std::vector<std::unique_ptr<forwarder>> forwarders;
    for (int i = 0; i < threads; ++i) {
        forwarders.push_back(std::make_unique<forwarder>(*local));
        if (!forwarders.back()->ok()) return std::perror("turn-stream-floor"), 1;
        local = forwarders.front()->address(); // port 0: the others join the first one's
    }
    for (auto& each : forwarders) std::thread([&each] { each->run(); }).detach();
    std::printf("forwarding on %s\n", local->to_string().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {}
    std::_Exit(0); // its threads sleep; what they hold goes with the process
}
