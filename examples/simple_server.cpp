// A TURN server with one user. Usage: simple_server [LISTEN]; Enter or the end of the input stops it.
#include <cstdio>

#include "turn/server.hpp"

int main(int argc, char** argv) {
    const auto listen = turn::transport_address::parse(argc > 1 ? argv[1] : "0.0.0.0:3478");
    if (!listen) {
        std::fputs("usage: simple_server [ADDRESS:PORT]\n", stderr);
        return 2;
    }

    turn::server_options options;
    options.realm = "example.org";
    options.listeners = {{.local = *listen}};
    // Relays are bound to the listener's address, or where the default route leaves when that is a wildcard.
    if (!listen->is_unspecified()) options.relay_addresses = {{.bind = *listen}};
    // Called on the server's threads. The reply may be kept and called later, from anywhere.
    options.credentials = [](const turn::credential_question& who, const turn::credential_reply& reply) {
        const auto key = turn::stun::long_term_key(who.algorithm, who.username, who.realm, "secret");
        if (who.username != "ann" || !key) return reply(turn::reason::unknown_user);
        reply(turn::credential{.key = *key});
    };

    const auto server = turn::server::start(std::move(options));
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().what.c_str());
        return 1;
    }
    for (const auto& l : server->description().listeners) std::printf("listening on %s\n", l.local.to_string().c_str());
    for (const auto& place : server->description().relays)
        std::printf("relaying from %s\n", place.bind.ip_to_string().c_str());
    for (const auto& warning : server->description().warnings) std::printf("warning: %s\n", warning.c_str());
    std::printf("user ann, password secret, room for %zu allocations\n", server->description().capacity);
    std::fflush(stdout);

    while (std::getchar() != '\n' && !std::feof(stdin)) continue;
    const auto books = server->totals().relay;
    std::printf("%llu packets from clients, %llu from peers\n",
                static_cast<unsigned long long>(books.from_clients.packets),
                static_cast<unsigned long long>(books.from_peers.packets));
}
