#include <doctest/doctest.h>

#include <atomic>
#include <semaphore>
#include <thread>

#include "support/real_server.hpp"

using namespace turn;
using namespace turn::test;

namespace {

bool alive_in_time(server& s) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!s.alive()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace

TEST_CASE("server::alive: a thread that hangs is noticed, and that it goes on is noticed as well") {
    std::binary_semaphore hangs{0};
    std::binary_semaphore go_on{0};
    std::atomic<bool> first{true};
    auto o = on_loopback();
    o.credentials = [&](const credential_question& who, const credential_reply& reply) {
        if (first.exchange(false)) { // what a source of credentials must not do
            hangs.release();
            go_on.acquire();
        }
        reply(key_of(who));
    };
    auto s = server::start(std::move(o));
    REQUIRE(s);
    CHECK(s->alive()); // has not been asked yet
    CHECK(alive_in_time(*s));

    bool allocated = false;
    std::thread client([&] { allocated = real_client(listener_of(*s)).allocate().has_value(); });
    hangs.acquire();
    static_cast<void>(s->alive()); // of the last question, which may have been answered before
    CHECK_FALSE(s->alive());
    CHECK_FALSE(s->alive());
    go_on.release();
    client.join();
    CHECK(allocated);
    CHECK(alive_in_time(*s));
}
