#include "flows.hpp"

#include <fmt/format.h>

namespace turn::bench {
namespace {

constexpr std::size_t most_under_way = 32; // as many clients may talk to the server at once
constexpr std::chrono::seconds time_limit{60};
constexpr std::chrono::milliseconds time_for_each{5}; // beyond the time limit
constexpr std::chrono::milliseconds between_ticks{50};

[[noreturn]] void give_up(std::uint32_t client, const end& e) {
    throw trouble{fmt::format("client {}: {}", client, e.failure())};
}

} // namespace

flows::flows(const load_options& o) : io_(o), streams_(o.client != transport::udp) {
    for (std::size_t i = 0; i < o.peers; ++i) {
        peer_sockets_.push_back(io_.open(peer_ip, net::socket_role::listener));
        owned_by(peer_sockets_.back(), peers_);
    }
    ends_.reserve(o.clients);
    for (std::uint32_t i = 0; i < o.clients; ++i) {
        const socket_id via = streams_ ? stream_id(i) : open_client(o);
        if (!streams_) owned_by(via, i);
        ends_.push_back(make_end(o, via, io_.local_address(peer_of(i))));
    }
}

/// The system has some 28 000 ports to choose from; more clients than half of these choose for themselves.
socket_id flows::open_client(const load_options& o) {
    return o.clients > 14'000 ? io_.open_next(client_ip) : io_.open(client_ip);
}

void flows::owned_by(socket_id id, std::uint32_t owner) {
    if (owners_.size() <= index_of(id)) owners_.resize(index_of(id) + 1);
    owners_[index_of(id)] = owner;
}

void flows::begin(end& e, time_point now, outbox& out) {
    if (streams_) io_.connect(); // one for each client, in their order: the id it has is the next
    e.join(now, out);
}

void flows::join() {
    all_become(
        end::state::ready, [this](end& e, time_point now, outbox& out) { begin(e, now, out); }, give_up);
}

flows::refusals flows::join_those_who_can() {
    refusals refused;
    all_become(
        end::state::ready, [this](end& e, time_point now, outbox& out) { begin(e, now, out); },
        [&](std::uint32_t, const end& e) {
            if (refused.count++ == 0) refused.first = e.failure();
        });
    return refused;
}

void flows::leave() {
    all_become(
        end::state::gone,
        [](end& e, time_point now, outbox& out) {
            if (e.relayed().port != 0) e.leave(now, out);
        },
        [](std::uint32_t i, const end& e) {
            if (e.relayed().port != 0) give_up(i, e);
        });
}

/// `fail(number, end)` for each that failed, be it before.
template <class Start, class Fail>
void flows::all_become(end::state wanted, Start start, Fail fail) {
    outbox out(4 * most_under_way);
    const auto deadline = std::chrono::steady_clock::now() + time_limit + ends_.size() * time_for_each;
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
            const bool failed = ends_[i]->is() == end::state::failed;
            if (failed) fail(i, *ends_[i]);
            return failed || ends_[i]->is() == wanted;
        });
        if (!under_way.empty()) io_.wait(next_tick);
        receive(out, [](const arrival&, time_point) {});
    }
}

void flows::expect_gone(socket_id connection) const {
    const std::size_t flow = index_of(connection);
    if (ends_[flow]->is() != end::state::gone)
        throw trouble{fmt::format("client {}: the server refused or closed its connection", flow)};
}

} // namespace turn::bench
