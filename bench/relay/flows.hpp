#pragma once
/// All flows of a run: a client's end and a peer's socket each, and who is who among the sockets.

#include <string>
#include <vector>

#include "end.hpp"
#include "sockets.hpp"

namespace turn::bench {

class flows {
public:
    /// Opens all sockets. Throws trouble.
    explicit flows(const load_options&);

    /// Every client joins, or leaves; at most some are under way at a time. Throws trouble when one fails or it takes
    /// longer than the time limit.
    void join();
    void leave();
    /// Every client joins, or is refused: that is no trouble here, and then it does not leave either.
    struct refusals {
        std::size_t count = 0;
        std::string first{}; ///< why
    };
    refusals join_those_who_can();

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
    /// One payload of a flow into the outbox.
    void send(std::uint32_t flow, direction way, bytes payload, outbox& out) {
        if (way == direction::up)
            ends_[flow]->send(payload, out);
        else
            out.send({.via = peer_of(flow), .to = ends_[flow]->relayed(), .body = payload, .way = direction::down});
    }

    /// A payload as it came out of the relay, and whom it came to: `flow` is known for clients; a peer's socket serves
    /// many flows.
    struct arrival {
        bytes payload;
        direction way;
        std::uint32_t flow;
        const packet* from;
    };
    /// Hands everything that arrived in one batch to `take(arrival, now)`. Returns how many packets there were.
    template <class Take>
    std::size_t receive(outbox& out, Take&& take) {
        const auto datagrams = io_.receive();
        const auto streamed = io_.receive_streams();
        if (datagrams.empty() && streamed.messages.empty() && streamed.gone.empty()) return 0;
        const auto now = std::chrono::steady_clock::now();
        for (const packet& p : datagrams) give(p, owners_[index_of(p.via)], now, out, take);
        for (const packet& p : streamed.messages) give(p, static_cast<std::uint32_t>(index_of(p.via)), now, out, take);
        for (const socket_id each : streamed.gone) expect_gone(each);
        if (!out.empty()) io_.flush(out); // before the bytes it may refer to are gone
        return datagrams.size() + streamed.messages.size();
    }
    /// Whether what arrived at a peer's socket came to the right one, from the right relay.
    [[nodiscard]] bool belongs(const packet& at_peer, std::uint32_t flow) const noexcept {
        return flow < ends_.size() && at_peer.via == peer_of(flow) && at_peer.from == ends_[flow]->relayed();
    }
    [[nodiscard]] sockets& io() noexcept { return io_; }
    void watch(std::vector<pollfd>& ready) const { io_.watch(ready); }

private:
    static constexpr std::uint32_t peers_ = 0xffffffffU; ///< owner of the peers' sockets

    [[nodiscard]] socket_id peer_of(std::uint32_t flow) const noexcept {
        return peer_sockets_[flow % peer_sockets_.size()];
    }
    socket_id open_client(const load_options&);
    void owned_by(socket_id id, std::uint32_t owner);
    template <class Take>
    void give(const packet& p, std::uint32_t owner, time_point now, outbox& out, Take& take) {
        for (std::size_t i = 0; i < p.segments(); ++i) {
            if (!out.has_room()) io_.flush(out);
            if (owner == peers_)
                take(arrival{p.segment(i), direction::up, owner, &p}, now);
            else if (const auto payload = ends_[owner]->handle(p.segment(i), now, out))
                take(arrival{*payload, direction::down, owner, &p}, now);
        }
    }
    /// Throws trouble when the client of a connection that is gone had not left.
    void expect_gone(socket_id connection) const;
    void begin(end&, time_point now, outbox&);
    template <class Start, class Fail>
    void all_become(end::state wanted, Start start, Fail fail);

    sockets io_;
    bool streams_; ///< a client's connection has its flow's number
    std::vector<socket_id> peer_sockets_;
    std::vector<std::unique_ptr<end>> ends_;
    std::vector<std::uint32_t> owners_; ///< by UDP socket: the flow whose client it is, or peers_
};

} // namespace turn::bench
