// What somebody else's program does with libturn: read a message, run a server.
#include <array>
#include <cstdio>
#include <utility>

#include <turn/server.hpp>
#include <turn/stun/message.hpp>

int main() {
    std::array<std::byte, 64> buffer{};
    turn::stun::message_builder request(buffer, turn::stun::message_class::request, turn::stun::method::binding, {});
    const auto datagram = request.finish();
    if (!datagram) return std::puts("no message was written"), 1;
    const auto message = turn::stun::message_view::parse(*datagram);
    if (!message || message->method() != turn::stun::method::binding) return std::puts("the message was not read"), 1;

    const auto loopback = turn::transport_address::parse_ip("127.0.0.1");
    turn::server_options options;
    options.realm = "install.example";
    options.threads = 1;
    options.listeners = {{.local = *loopback}}; // port 0: any
    options.relay_addresses = {{.bind = *loopback}};
    auto server = turn::server::start(std::move(options));
    if (!server) return std::printf("no server: %s\n", server.error().what.c_str()), 1;
    if (server->description().listeners.size() != 1 || server->description().listeners[0].local.port == 0)
        return std::puts("the server listens nowhere"), 1;
    std::printf("listening at %s\n", server->description().listeners[0].local.to_string().c_str());
    return 0;
}
