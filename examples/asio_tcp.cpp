// TCP with a peer through a relay (RFC 6062): sends it a line and prints its answer, or echoes a line of a peer that
// calls. Usage: asio_tcp URI USERNAME PASSWORD PEER CA.pem|"" [LINE]
#include "turn/asio_client.hpp"
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <cstdio>
#include <string>

using namespace turn;
using asio::use_awaitable;

asio::awaitable<void> talk(asio_client_options options, transport_address peer, std::string text) {
    asio_client ann(co_await asio::this_coro::executor, std::move(options));
    co_await ann.async_connect(use_awaitable);
    const auto made = co_await ann.async_allocate({.tcp = true}, use_awaitable);
    std::printf("allocated %s\n", made.relayed.to_string().c_str());
    co_await ann.async_permit(peer, use_awaitable);
    std::fflush(stdout);
    peer_stream stream;
    std::error_code ended;
    std::string line;
    if (!text.empty()) {
        stream = co_await ann.async_connect_peer(peer, use_awaitable);
        co_await asio::async_write(stream, asio::buffer(text += '\n'), use_awaitable);
        co_await asio::async_read_until(stream, asio::dynamic_buffer(line), '\n', use_awaitable);
    } else {
        stream = co_await ann.async_accept_peer(use_awaitable);
        co_await asio::async_read_until(stream, asio::dynamic_buffer(line), '\n', use_awaitable);
        co_await asio::async_write(stream, asio::buffer(line), use_awaitable);
    }
    std::printf("%s: %s", stream.peer().ip_to_string().c_str(), line.c_str());
    stream.shut_down_sending();
    char more = 0;
    co_await stream.async_read_some(asio::buffer(&more, 1), asio::redirect_error(use_awaitable, ended));
}

int main(int argc, char** argv) try {
    const auto server = uri::parse(argc >= 6 ? argv[1] : "");
    const auto peer = transport_address::parse(argc >= 6 ? argv[4] : "");
    if (!server || !peer) return std::fputs("asio_tcp URI USERNAME PASSWORD PEER CA [LINE]\n", stderr), 2;
    asio_client_options options{.server = *server, .username = argv[2], .password = argv[3]};
    if (const auto trust = net::client_trust::load(argv[5])) options.trust = *trust;
    asio::io_context io;
    auto done = asio::co_spawn(io, talk(options, *peer, argc >= 7 ? argv[6] : ""), asio::use_future);
    io.run();
    return done.get(), 0;
} catch (const std::system_error& failed) {
    return std::printf("failed: %s\n", failed.code().message().c_str()), 1;
}
