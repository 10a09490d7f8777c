/// turn-floor: forwards datagrams with turnd's sockets and threads but without TURN: what the sockets cost.
/// One listener a thread (SO_REUSEPORT), one socket a flow; whom to forward to is taught by the generator.
/// Usage: turn-floor ADDRESS:PORT THREADS; the end of its stdin stops it. Port 0: any.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "lesson.hpp"
#include "turn/net/packet_io.hpp"

namespace {

using namespace turn;

/// One thread's share of the flows.
class forwarder {
public:
    /// Check with ok().
    explicit forwarder(const transport_address& local) : local_(local) {
        auto made = net::make_packet_io();
        if (!made) return;
        io_ = std::move(*made);
        const auto opened = io_->open(local, {.role = net::socket_role::listener, .reuse_port = true});
        ok_ = opened.has_value();
        if (ok_) listener_ = *opened;
        outgoing_.reserve(most_outgoing);
    }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] transport_address address() const { return io_->local_address(listener_); }

    void run(const std::atomic<bool>& stop) {
        while (!stop.load(std::memory_order_relaxed)) {
            if (!io_->wait(std::chrono::milliseconds(100)).packets) continue; // so long may the end take
            for (const packet& p : io_->receive()) forward(p);
            flush();
        }
    }

private:
    struct flow {
        socket_id relay{};
        transport_address client{};
        transport_address peer{};
    };
    static constexpr std::size_t most_outgoing = 256;
    static constexpr std::uint32_t none = 0xffffffffU;

    void forward(const packet& p) {
        const bool up = p.via == listener_;
        const std::uint32_t known = up ? by_client_port_[p.from.port] : by_relay_[index_of(p.via)];
        for (std::size_t i = 0; i < p.segments(); ++i) {
            if (outgoing_.size() == most_outgoing) flush();
            const bytes body = p.segment(i);
            if (const auto taught = up ? bench::lesson::read(body) : std::nullopt)
                learn(p.from, *taught);
            else if (known != none && up)
                outgoing_.push_back(
                    {.via = flows_[known].relay, .to = flows_[known].peer, .body = body, .way = direction::up});
            else if (known != none)
                outgoing_.push_back(
                    {.via = listener_, .to = flows_[known].client, .body = body, .way = direction::down});
        }
    }

    /// A flow is known by its client's port: the generator's clients share an IP.
    void learn(const transport_address& client, const bench::lesson& taught) {
        std::uint32_t& known = by_client_port_[client.port];
        if (known == none) {
            const auto relay = io_->open(local_.with_port(0), {});
            if (!relay) return std::perror("turn-floor: no socket for a flow");
            known = static_cast<std::uint32_t>(flows_.size());
            flows_.push_back({.relay = *relay, .client = client});
            if (by_relay_.size() <= index_of(*relay)) by_relay_.resize(index_of(*relay) + 1, none);
            by_relay_[index_of(*relay)] = known;
        }
        flows_[known].peer = taught.where;
        bench::lesson answer;
        answer.where = io_->local_address(flows_[known].relay);
        const datagram reply{.via = listener_, .to = client, .body = std::as_bytes(std::span(&answer, 1))};
        io_->send({&reply, 1});
    }

    void flush() {
        io_->send(outgoing_);
        outgoing_.clear();
    }

    transport_address local_;
    std::unique_ptr<net::packet_io> io_{};
    bool ok_ = false;
    socket_id listener_{};
    std::vector<flow> flows_{};
    std::vector<std::uint32_t> by_client_port_ = std::vector<std::uint32_t>(65536, none);
    std::vector<std::uint32_t> by_relay_ = std::vector<std::uint32_t>(1, none);
    std::vector<datagram> outgoing_{};
};

} // namespace

int main(int argc, char** argv) {
    auto local = transport_address::parse(argc == 3 ? argv[1] : "");
    const int threads = argc == 3 ? std::atoi(argv[2]) : 0;
    if (!local || threads < 1 || threads > 64) return std::fputs("usage: turn-floor ADDRESS:PORT THREADS\n", stderr), 2;

    std::vector<std::unique_ptr<forwarder>> forwarders;
    for (int i = 0; i < threads; ++i) {
        forwarders.push_back(std::make_unique<forwarder>(*local));
        if (!forwarders.back()->ok()) return std::perror("turn-floor"), 1;
        local = forwarders.front()->address(); // port 0: the others join the first one's
    }
    std::atomic<bool> stop = false;
    std::vector<std::thread> running;
    for (const auto& each : forwarders) running.emplace_back([&each, &stop] { each->run(stop); });
    std::printf("forwarding on %s\n", local->to_string().c_str());
    std::fflush(stdout);
    while (std::getchar() != EOF) {}
    stop = true;
    for (auto& each : running) each.join();
}
