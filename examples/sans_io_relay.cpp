// TURN without threads, sockets or a clock: a client, a server and a peer as values in one function.
#include "turn/client.hpp"
#include "turn/relay.hpp"
#include <cstdio>
#include <string>

using namespace turn;

const auto listening = *transport_address::parse("192.0.2.1:3478");
const auto client_address = *transport_address::parse("198.51.100.1:5000");
const auto peer = *transport_address::parse("203.0.113.1:6000");
constexpr socket_id listener{0}, relay_socket{1};

struct one_address final : relay_addresses {
    bool supports(address_family f) const noexcept override { return f == address_family::ipv4; }
    result<bound> bind(address_family, transport, port_wish, time_point) noexcept override {
        return bound{.id = relay_socket, .address = listening.with_port(49152)};
    }
    result<bound> redeem(const token&, time_point) noexcept override { return errc::not_found; }
    void cancel(const bound&) noexcept override {}
};

int main() {
    const auto text_of = [](bytes b) { return std::string(reinterpret_cast<const char*>(b.data()), b.size()); };
    const auto bytes_of = [](const std::string& text) { return std::as_bytes(std::span(text)); };
    const auto whole = [&](const datagram& d) { return text_of(d.head) + text_of(d.body) + std::string(d.pad, '\0'); };

    one_address addresses;
    allocation_quota quota({});
    relay_options options;
    options.anonymous = true; // the other examples ask for credentials
    options.peers.allow = {*address_prefix::parse("203.0.113.0/24")};
    relay server(options, {addresses, quota}, stun::make_nonce_secret());
    server.add_listener(listener, {.local = listening});
    client ann({.server = listening});
    const time_point now{}; // time stands still
    outbox from_ann, from_server;

    const auto arrive_at_server = [&](socket_id via, const transport_address& from, const std::string& text) {
        const packet arrived{.via = via, .from = from, .data = bytes_of(text)};
        for (batch_cursor at; at.packet == 0;) server.handle({&arrived, 1}, at, now, from_server);
        for (const datagram& d : from_server.datagrams()) {
            const std::string text_out = whole(d);
            if (d.to == peer) std::printf("bob hears \"%s\"\n", text_out.c_str());
            if (d.to != client_address) continue;
            if (const auto news = ann.handle(bytes_of(text_out), now, from_ann))
                if (const auto* data = std::get_if<client::peer_data>(&*news))
                    std::printf("ann hears \"%s\"\n", text_of(data->data).c_str());
        }
        from_server.clear();
    };
    const auto ann_sends = [&] {
        for (const datagram& d : from_ann.datagrams()) arrive_at_server(listener, client_address, whole(d));
        from_ann.clear();
    };
    ann.allocate({}, now, from_ann), ann_sends();
    ann.permit({&peer, 1}, now, from_ann), ann_sends();
    if (const std::string hello = "hello bob"; ann.send(peer, bytes_of(hello), from_ann)) ann_sends();
    arrive_at_server(relay_socket, peer, "hello ann");
}
