#include <doctest/doctest.h>

#include <deque>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include "daemon.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;

namespace {

/// A server and its signals as a script: each look at the allocations takes the next number, each wait its time.
struct script {
    std::deque<std::optional<signal_kind>> signals{};
    std::deque<std::size_t> allocations{};
    std::chrono::steady_clock::time_point clock{};
    std::chrono::milliseconds longest_wait{0};
    int stops = 0;
    int counters = 0;
    int reloads = 0;
    int signs_of_life = 0;
    std::optional<std::chrono::milliseconds> watchdog_interval{};
    std::vector<std::string> lines{};

    std::size_t serve(std::chrono::seconds drain_timeout) {
        logger to(log_level::info, log_format::text, [this](std::string_view line) { lines.emplace_back(line); });
        return turnd::serve({.next_signal = [this](auto timeout) { return wait(timeout); },
                             .now = [this] { return clock; },
                             .stop_accepting = [this] { ++stops; },
                             .allocations = [this] { return look(); },
                             .write_counters = [this] { ++counters; },
                             .reload = [this] { ++reloads; },
                             .drain_timeout = [=] { return drain_timeout; },
                             .watchdog = [this] { ++signs_of_life; },
                             .watchdog_interval = watchdog_interval},
                            to);
    }

private:
    std::optional<signal_kind> wait(std::optional<std::chrono::milliseconds> timeout) {
        if (timeout) {
            clock += *timeout;
            longest_wait = std::max(longest_wait, *timeout);
        }
        if (signals.empty()) {
            REQUIRE(timeout); // else this would be for ever
            return {};
        }
        const auto next = signals.front();
        signals.pop_front();
        return next;
    }
    std::size_t look() {
        const std::size_t n = allocations.front();
        if (allocations.size() > 1) allocations.pop_front();
        return n;
    }
};

bool said(const script& s, std::string_view text) {
    return std::any_of(s.lines.begin(), s.lines.end(), [&](const std::string& line) { return contains(line, text); });
}

} // namespace

TEST_CASE("turnd: without allocations the first signal ends it at once") {
    script s{.signals = {signal_kind::end}, .allocations = {0}};
    CHECK(s.serve(10s) == 0);
    CHECK(s.stops == 1);
    CHECK(s.clock == std::chrono::steady_clock::time_point{});
}

TEST_CASE("turnd: a drain waits until the last allocation is gone") {
    script s{.signals = {signal_kind::end}, .allocations = {2, 2, 1, 1, 0}};
    CHECK(s.serve(10s) == 0);
    CHECK(s.stops == 1);
    CHECK(s.clock < std::chrono::steady_clock::time_point{1s});
    CHECK(said(s, "draining"));
}

TEST_CASE("turnd: a drain ends at its time-out") {
    script s{.signals = {signal_kind::end}, .allocations = {5}};
    CHECK(s.serve(3s) == 5);
    CHECK(s.clock == std::chrono::steady_clock::time_point{3s});
    CHECK(s.longest_wait <= 50ms);
    script none{.signals = {signal_kind::end}, .allocations = {5}};
    CHECK(none.serve(0s) == 5);
    CHECK(none.clock == std::chrono::steady_clock::time_point{});
}

TEST_CASE("turnd: a second signal ends a drain at once") {
    script s{.signals = {signal_kind::end, {}, signal_kind::end}, .allocations = {5}};
    CHECK(s.serve(3600s) == 5);
    CHECK(s.clock < std::chrono::steady_clock::time_point{1s});
    CHECK(s.signals.empty());
}

TEST_CASE("turnd: SIGUSR1 writes counters before and during a drain") {
    script s{.signals = {signal_kind::write_counters, signal_kind::write_counters, signal_kind::end,
                         signal_kind::write_counters},
             .allocations = {1, 1, 1, 0}};
    CHECK(s.serve(10s) == 0);
    CHECK(s.counters == 3);
    CHECK(s.stops == 1);
}

TEST_CASE("turnd: SIGHUP reloads before and during a drain") {
    script s{.signals = {signal_kind::reload, signal_kind::end, signal_kind::reload}, .allocations = {1, 1, 0}};
    CHECK(s.serve(10s) == 0);
    CHECK(s.reloads == 2);
}

TEST_CASE("turnd: a wish to drain is like the first signal and a second one changes nothing") {
    script s{.signals = {signal_kind::drain, signal_kind::drain, signal_kind::drain}, .allocations = {5, 5, 5, 1, 0}};
    CHECK(s.serve(10s) == 0);
    CHECK(s.stops == 1);
    CHECK(s.signals.empty());
    script impatient{.signals = {signal_kind::drain, signal_kind::drain, signal_kind::end}, .allocations = {5}};
    CHECK(impatient.serve(3600s) == 5);
}

TEST_CASE("turnd: signs of life are given while nothing happens and during a drain") {
    script s{.signals = {{}, {}, {}, signal_kind::end}, .allocations = {1}, .watchdog_interval = 1s};
    CHECK(s.serve(5s) == 1);
    CHECK(s.longest_wait <= 1s);
    // At once, then each second: four waits for a signal, and five seconds of draining.
    CHECK(s.signs_of_life >= 8);
    CHECK(s.signs_of_life <= 10);
    script unwatched{.signals = {signal_kind::end}, .allocations = {1}};
    CHECK(unwatched.serve(5s) == 1);
    CHECK(unwatched.signs_of_life == 0);
}

TEST_CASE("turnd: blocked signals are waited for and left over ones do no harm") {
    // On a thread of its own: the mask of the test program stays as it is.
    std::thread([] {
        std::optional<blocked_signals> signals(std::in_place);
        const auto send = [](int number) { ::pthread_kill(::pthread_self(), number); };
        CHECK(!signals->wait(0ms));
        send(SIGTERM);
        CHECK(signals->wait() == signal_kind::end);
        send(SIGINT);
        CHECK(signals->wait(1s) == signal_kind::end);
        send(SIGUSR1);
        CHECK(signals->wait(1s) == signal_kind::write_counters);
        send(SIGHUP);
        CHECK(signals->wait(1s) == signal_kind::reload);
        send(SIGUSR2);
        CHECK(signals->wait(1s) == signal_kind::drain);
        CHECK(!signals->wait(1ms));
        send(SIGTERM); // nobody waits for this one: it would end the process when the mask is restored
        send(SIGHUP);
        signals.reset();
        CHECK(true);
    }).join();
}
