// The relay and its sockets under an event loop of one's own: poll(). Usage: own_event_loop [LISTEN]; stdin stops it.
#include "turn/net/packet_io.hpp"
#include "turn/relay.hpp"
#include <cstdio>
#include <poll.h>

using namespace turn;

struct any_port final : relay_addresses {
    any_port(net::packet_io& sockets, transport_address where) : io(sockets), local(where.with_port(0)) {}
    bool supports(address_family f) const noexcept override { return f == local.family; }
    result<bound> bind(address_family, transport, port_wish wish, time_point) noexcept override {
        const auto id = wish == port_wish::any ? io.open(local, {}) : errc::no_capacity;
        return id ? result<bound>({.id = *id, .address = io.local_address(*id)}) : id.error();
    }
    result<bound> redeem(const token&, time_point) noexcept override { return errc::not_found; }
    void cancel(const bound& b) noexcept override { io.close(b.id); }
    net::packet_io& io;
    transport_address local;
};

int main(int argc, char** argv) {
    const auto listen = transport_address::parse(argc > 1 ? argv[1] : "127.0.0.1:3478");
    const auto io = net::make_packet_io();
    const auto listener = listen && io ? (*io)->open(*listen, {.role = net::socket_role::listener}) : errc::io;
    if (!listener) return 1;
    auto& sockets = **io;
    any_port addresses(sockets, *listen);
    allocation_quota quota({});
    relay server({}, {addresses, quota}, stun::make_nonce_secret());
    const auto local = sockets.local_address(*listener);
    server.add_listener(*listener, {.local = local, .realm = "example.org"});
    std::fprintf(stderr, "listening on %s\n", local.to_string().c_str());
    outbox out;
    std::vector<std::pair<ticket_id, credential_answer>> answers;
    const auto key_of = [](auto& of) { return stun::long_term_key(of.algorithm, "ann", of.realm, "secret"); };
    std::vector<socket_id> closing; // when the batch is done: until then its packets may carry these ids
    const auto carry_out = [&](time_point now) {
        do {
            sockets.send(out.datagrams());
            for (const order& o : out.orders()) {
                if (const auto* close = std::get_if<close_socket>(&o)) closing.push_back(close->id);
                if (const auto* who = std::get_if<credential_wanted>(&o))
                    answers.emplace_back(who->ticket, credential{*key_of(who->question)});
            }
            out.clear();
            for (; !answers.empty() && out.has_room(); answers.pop_back())
                server.credential_found(answers.back().first, answers.back().second, now, out);
        } while (!out.empty());
    };
    for (;;) {
        pollfd ready[] = {{sockets.native_handle(), POLLIN, 0}, {0, POLLIN, 0}};
        if (poll(ready, 2, 100) < 0 || ready[1].revents != 0) return 0; // 100 ms: nothing ends later than that
        const auto now = std::chrono::steady_clock::now();
        server.tick(now, out), carry_out(now);
        const auto batch = sockets.receive(); // what is left comes in the next turn
        for (batch_cursor at; at.packet < batch.size(); carry_out(now)) server.handle(batch, at, now, out);
        for (; !closing.empty(); closing.pop_back()) sockets.close(closing.back());
    }
}
