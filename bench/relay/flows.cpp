#include "flows.hpp"

#include <fmt/format.h>

namespace turn::bench {
namespace {

constexpr std::size_t most_under_way = 32; // as many clients may talk to the server at once
constexpr std::chrono::seconds time_limit{60};
constexpr std::chrono::milliseconds between_ticks{50};

} // namespace

flows::flows(const load_options& o) : io_(o), streams_(o.client != transport::udp) {
    for (std::size_t i = 0; i < o.peers; ++i) {
        peer_sockets_.push_back(io_.open(peer_ip, net::socket_role::listener));
        owned_by(peer_sockets_.back(), peers_);
    }
    ends_.reserve(o.clients);
    for (std::uint32_t i = 0; i < o.clients; ++i) {
        const socket_id via = streams_ ? stream_id(i) : io_.open(client_ip);
        if (!streams_) owned_by(via, i);
        ends_.push_back(make_end(o, via, io_.local_address(peer_of(i))));
    }
}

void flows::owned_by(socket_id id, std::uint32_t owner) {
    if (owners_.size() <= index_of(id)) owners_.resize(index_of(id) + 1);
    owners_[index_of(id)] = owner;
}

void flows::join() {
    all_become(end::state::ready, [this](end& e, time_point now, outbox& out) {
        if (streams_) io_.connect(); // one for each client, in their order: the id it has is the next
        e.join(now, out);
    });
}

void flows::leave() {
    all_become(end::state::gone, [](end& e, time_point now, outbox& out) { e.leave(now, out); });
}

template <class Start>
void flows::all_become(end::state wanted, Start start) {
    outbox out(4 * most_under_way);
    const auto deadline = std::chrono::steady_clock::now() + time_limit;
    auto next_tick = std::chrono::steady_clock::now() + between_ticks;
    std::vector<std::uint32_t> under_way;
    std::uint32_t next = 0;
    while (next < ends_.size() || !under_way.empty()) {
        const auto now = std::chrono::steady_clock::now();
        if (now > deadline) throw trouble{"the clients took too long to join or leave"};
        for (; next < ends_.size() && under_way.size() < most_under_way; ++next) {
            start(*ends_[next], now, out);
            under_way.push_back(next);
        }
        if (now >= next_tick) {
            for (const std::uint32_t i : under_way) {
                if (!out.has_room()) io_.flush(out);
                ends_[i]->tick(now, out);
            }
            next_tick = now + between_ticks;
        }
        io_.flush(out);
        std::erase_if(under_way, [&](std::uint32_t i) {
            if (ends_[i]->is() == end::state::failed)
                throw trouble{fmt::format("client {}: {}", i, ends_[i]->failure())};
            return ends_[i]->is() == wanted;
        });
        if (!under_way.empty()) io_.wait(next_tick);
        receive(out, [](const arrival&, time_point) {});
    }
}

void flows::expect_gone(socket_id connection) const {
    const std::size_t flow = index_of(connection);
    if (ends_[flow]->is() != end::state::gone)
        throw trouble{fmt::format("client {}: the server closed its connection", flow)};
}

} // namespace turn::bench
