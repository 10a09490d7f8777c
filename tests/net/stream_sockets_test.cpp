#include <doctest/doctest.h>

#include <poll.h>

#include "net/stream_sockets.hpp"
#include "support/real_stream.hpp"
#include "turn/stun/message.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

/// stream_sockets whose time passes as the test says, and a client on loopback.
struct story {
    net::connection_budget budget{10, 10};
    std::unique_ptr<net::stream_sockets> it =
        std::move(*net::stream_sockets::make({.idle = 30s, .handshake = 10s}, budget));
    time_point now = time_point() + 1h;
    std::size_t messages = 0, come = 0, gone = 0;

    story() { REQUIRE(it->listen(loopback(), {.tcp = true, .tls = nullptr}, false)); }
    transport_address address() const { return it->local_address(0); }
    void receive() {
        const auto batch = it->receive(now);
        messages += batch.packets.size();
        come += batch.come.size();
        gone += batch.gone.size();
    }
    /// Receives until `done`, for as long as anything on loopback may take.
    template <class Condition>
    bool until(Condition&& done) {
        for (const auto end = std::chrono::steady_clock::now() + patience; !done();) {
            if (std::chrono::steady_clock::now() > end) return false;
            pollfd readable{it->native_handle(), POLLIN, 0};
            if (!it->more()) ::poll(&readable, 1, 100);
            receive();
        }
        return true;
    }
    void pass(time_point::duration d) {
        now += d;
        it->tick(now);
        receive();
    }
    std::uint64_t open() const { return it->counters().without_allocation.value(); }
};

void ask(real_stream& client) {
    std::array<std::byte, 20> buffer{};
    stun::message_builder b(buffer, stun::message_class::request, stun::method::binding, {});
    client.send_bytes(*b.finish());
}

} // namespace

TEST_CASE("RFC 8489 6.2.2: a connection stays as long as its client says something, and ends when it has timed out") {
    story s;
    real_stream ann(s.address());
    for (std::size_t i = 1; i <= 4; ++i) {
        ask(ann);
        REQUIRE(s.until([&] { return s.messages == i; }));
        s.pass(29s);
        CHECK(s.open() == 1);
    }
    s.pass(1s);
    CHECK(s.open() == 0);
    CHECK(s.gone == 1);
    CHECK(ann.closed_by(std::chrono::steady_clock::now() + patience));
}

TEST_CASE("turn: bytes that become no message do not prolong a connection") {
    story s;
    real_stream slow(s.address());
    REQUIRE(s.until([&] { return s.open() == 1; }));
    CHECK(s.it->next_deadline() == s.now + 10s);
    std::array<std::byte, 20> buffer{};
    stun::message_builder b(buffer, stun::message_class::request, stun::method::binding, {});
    const bytes whole = *b.finish();
    const auto calls = [&] { return s.it->counters().receive_calls.value(); };
    for (std::size_t i = 0; i < 9; ++i) {
        slow.send_bytes(whole.subspan(i, 1));
        REQUIRE(s.until([&] { return calls() == i + 1; }));
        s.pass(1s);
    }
    CHECK(s.open() == 1);
    s.pass(1s);
    CHECK(s.open() == 0);
    CHECK(s.come == 0); // nobody heard of it, so nobody hears of its end
    CHECK(s.gone == 0);
}

TEST_CASE("turn: a connection with an allocation has no time-out until the allocation ends") {
    story s;
    real_stream ann(s.address());
    ask(ann);
    REQUIRE(s.until([&] { return s.messages == 1; }));
    s.it->claim(stream_id(0), true, s.now);
    CHECK(s.it->next_deadline() == time_point::max());
    CHECK(s.budget.in_use() == 0);
    s.pass(1h);
    s.it->claim(stream_id(0), false, s.now);
    CHECK(s.budget.in_use() == 1);
    s.pass(29s);
    CHECK(s.gone == 0);
    s.pass(1s);
    CHECK(s.gone == 1);
    CHECK(s.budget.in_use() == 0);
}
