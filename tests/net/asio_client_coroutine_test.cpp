/// turn::asio_client with co_await. Only for compilers whose coroutines Asio of Debian 12 knows: decision 0009.

#include "asio_client_on_io.hpp"

#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

asio::awaitable<std::string> a_talk_with_herself(asio_client& ann) {
    co_await ann.async_connect(asio::use_awaitable);
    const auto made = co_await ann.async_allocate({}, asio::use_awaitable);
    co_await ann.async_bind_channel(made.relayed, asio::use_awaitable);
    const std::string words = "hello from the other end";
    co_await ann.async_send(made.relayed, asio::buffer(words), asio::use_awaitable);
    std::string heard(100, '\0');
    const auto [from, size] = co_await ann.async_receive(asio::buffer(heard), asio::use_awaitable);
    CHECK(from == made.relayed);
    co_return heard.substr(0, size);
}

asio::awaitable<bool> patience_of_a_millisecond(asio_client& ann) {
    using namespace asio::experimental::awaitable_operators;
    co_await ann.async_connect(asio::use_awaitable);
    co_await ann.async_allocate({}, asio::use_awaitable);
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    std::byte room[10];
    const auto first =
        co_await (ann.async_receive(asio::buffer(room), asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    co_return first.index() == 1;
}

asio::awaitable<std::error_code> what_a_stranger_hears(asio_client& mallory) {
    co_await mallory.async_connect(asio::use_awaitable);
    try {
        co_await mallory.async_allocate({}, asio::use_awaitable);
    } catch (const std::system_error& refused) {
        co_return refused.code();
    }
    co_return std::error_code();
}

template <class Result>
Result outcome_of(on_io& loop, asio::awaitable<Result> story) {
    std::optional<Result> result;
    asio::co_spawn(loop.io, std::move(story), [&](std::exception_ptr broken, Result r) {
        if (!broken) result = std::move(r);
    });
    loop.run_until([&] { return result.has_value(); });
    REQUIRE(result);
    return *result;
}

/// A server, and clients' place beside it.
struct on_stage {
    anywhere server{};
    on_io loop{};
    asio_client_options options = server.by(transport::udp);
};

} // namespace

TEST_CASE_FIXTURE(on_stage, "a coroutine allocates, binds a channel and hears itself through the relay") {
    asio_client ann(loop.io, options);
    CHECK(outcome_of(loop, a_talk_with_herself(ann)) == "hello from the other end");
}

TEST_CASE_FIXTURE(on_stage, "a coroutine waits for a peer or for a timer, whichever is first") {
    asio_client ann(loop.io, options);
    CHECK(outcome_of(loop, patience_of_a_millisecond(ann)));
}

TEST_CASE_FIXTURE(on_stage, "a coroutine sees a refusal as an exception with its ERROR-CODE") {
    options.username = "mallory";
    asio_client mallory(loop.io, options);
    CHECK(outcome_of(loop, what_a_stranger_hears(mallory)) == refused_with(401));
}
