// A coroutine that talks to a peer through a relay, or to itself, over whatever the URI says: UDP, TCP, TLS or DTLS.
// Usage: asio_echo turn[s]:HOST[:PORT][?transport=udp|tcp] USERNAME PASSWORD [PEER [CA.pem]]
#include "turn/asio_client.hpp"
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <cstdio>
#include <string>

using namespace turn;
using asio::use_awaitable;

/// True when the peer says what it was told.
asio::awaitable<bool> says_back(asio_client& ann, transport_address peer, std::string text) {
    co_await ann.async_send(peer, asio::buffer(text), use_awaitable);
    std::string heard(text.size() + 1, '\0');
    const auto [from, size] = co_await ann.async_receive(asio::buffer(heard), use_awaitable);
    heard.resize(size);
    if (size < 100) std::printf("%s says \"%s\"\n", from.to_string().c_str(), heard.c_str());
    co_return from == peer&& heard == text;
}

asio::awaitable<bool> talk(asio_client_options options, std::optional<transport_address> somebody) {
    asio_client ann(co_await asio::this_coro::executor, std::move(options));
    co_await ann.async_connect(use_awaitable);
    const auto made = co_await ann.async_allocate({}, use_awaitable);
    std::printf("allocated %s\n", made.relayed.to_string().c_str());
    const auto peer = somebody.value_or(made.relayed);
    co_await ann.async_permit(peer, use_awaitable);
    bool well = co_await says_back(ann, peer, "hello in an indication");
    co_await ann.async_bind_channel(peer, use_awaitable);
    well = co_await says_back(ann, peer, "hello over a channel") && well;
    for (const std::size_t size : {100U, 101U, 102U, 1200U})
        well = co_await says_back(ann, peer, std::string(size, 'x')) && well;
    co_await ann.async_refresh(std::chrono::seconds(0), use_awaitable); // the end of the allocation
    co_return well;
}

int main(int argc, char** argv) {
    const auto server = uri::parse(argc >= 4 ? argv[1] : "");
    const auto peer = argc >= 5 ? transport_address::parse(argv[4]) : errc::invalid_text;
    if (!server || (argc >= 5 && !peer)) return std::fputs("asio_echo URI USERNAME PASSWORD [PEER [CA]]\n", stderr), 2;
    asio_client_options options{.server = *server, .username = argv[2], .password = argv[3]};
    if (const auto trust = net::client_trust::load(argc >= 6 ? argv[5] : "")) options.trust = *trust;

    asio::io_context io;
    bool well = false;
    try {
        auto result = asio::co_spawn(io, talk(options, peer ? std::optional(*peer) : std::nullopt), asio::use_future);
        io.run();
        well = result.get();
    } catch (const std::system_error& failed) {
        std::printf("failed: %s\n", failed.code().message().c_str());
    }
    return well ? 0 : 1;
}
