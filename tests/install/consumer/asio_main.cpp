// What somebody else's program does with turn/asio_client.hpp: ask a server for its address.
#include <cstdio>
#include <utility>

#include <asio/io_context.hpp>
#include <turn/asio_client.hpp>
#include <turn/server.hpp>

int main() {
    turn::server_options options;
    options.realm = "install.example";
    options.threads = 1;
    options.listeners = {{.local = *turn::transport_address::parse_ip("127.0.0.1")}}; // port 0: any
    options.relay_addresses = {{.bind = options.listeners[0].local}};
    const auto server = turn::server::start(std::move(options));
    if (!server) return std::printf("no server: %s\n", server.error().what.c_str()), 1;

    const auto where = turn::uri::parse("stun:" + server->description().listeners[0].local.to_string());
    if (!where) return std::puts("no URI"), 1;
    asio::io_context io;
    turn::asio_client client(io, {.server = *where});
    int status = 1;
    client.async_connect([&](std::error_code failed) {
        if (failed) return std::puts(failed.message().c_str()), client.close();
        client.async_bind([&](std::error_code error, turn::transport_address mapped) {
            std::printf("%s %s\n", error.message().c_str(), mapped.to_string().c_str());
            status = error ? 1 : 0;
            client.close();
        });
    });
    io.run();
    return status;
}
