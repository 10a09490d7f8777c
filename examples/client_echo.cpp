// A client that talks to itself through a relay. Usage: client_echo turn:ADDRESS[:PORT] USERNAME PASSWORD
#include "turn/client.hpp"
#include "turn/net/packet_io.hpp"
#include "turn/uri.hpp"
#include <cstdio>
#include <poll.h>
#include <string>

using namespace turn;

constexpr std::string_view greeting = "hello from the other end";
constexpr std::uint16_t channel = 0x4000;

int main(int argc, char** argv) {
    const auto where = uri::parse(argc == 4 ? argv[1] : "");
    const auto server = where && where->scheme == uri_scheme::turn ? where->address() : std::nullopt; // names: look up
    if (!server) return std::fputs("usage: client_echo turn:ADDRESS[:PORT] USERNAME PASSWORD\n", stderr), 2;

    const auto io = net::make_packet_io({.batch = 4, .segmentation = false});
    const auto any = *transport_address::parse(server->is_ipv4() ? "0.0.0.0:0" : "[::]:0");
    const auto socket = io ? (*io)->open(any, {}) : errc::io;
    if (!socket) return std::perror("socket"), 1;

    client ann({.server = *server, .via = *socket, .username = argv[2], .password = argv[3]});
    outbox out;
    transport_address relayed; // where the relay hears what peers send: here it is the peer, too
    int result = -1;           // of the program, when it is done
    const auto react = [&](const client::event& event, time_point now) {
        if (const auto* made = std::get_if<client::allocated>(&event)) {
            relayed = made->relayed;
            std::printf("allocated %s\n", relayed.to_string().c_str());
            ann.bind_channel(channel, relayed, now, out);
        } else if (std::holds_alternative<client::channel_bound>(event)) {
            if (!ann.send(relayed, std::as_bytes(std::span(greeting)), out)) result = 1;
        } else if (const auto* data = std::get_if<client::peer_data>(&event)) {
            const std::string text(reinterpret_cast<const char*>(data->data.data()), data->data.size());
            std::printf("%s says \"%s\"\n", data->from.to_string().c_str(), text.c_str());
            ann.refresh(std::chrono::seconds(0), {}, now, out); // the end of the allocation
        } else if (std::holds_alternative<client::refreshed>(event)) {
            result = 0;
        } else if (const auto* failed = std::get_if<client::failed>(&event)) {
            std::printf("failed: %u %.*s\n", failed->code, static_cast<int>(failed->phrase.size()),
                        failed->phrase.data());
            result = 1;
        }
    };
    ann.allocate({}, std::chrono::steady_clock::now(), out);
    while (result < 0) {
        (*io)->send(out.datagrams()), out.clear();
        const auto wait = ann.next_deadline() - std::chrono::steady_clock::now(); // retransmission, refresh
        pollfd ready{(*io)->native_handle(), POLLIN, 0};
        poll(&ready, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
        const auto now = std::chrono::steady_clock::now();
        for (const packet& p : (*io)->receive())
            if (const auto event = ann.handle(p.data, now, out)) react(*event, now);
        while (const auto event = ann.tick(now, out)) react(*event, now);
    }
    return result;
}
