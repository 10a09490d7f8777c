/// The pieces of turn-load that its figures rest on.

#include <doctest/doctest.h>

#include <future>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arrivals.hpp"
#include "fairness.hpp"
#include "histogram.hpp"
#include "meter.hpp"
#include "pace.hpp"
#include "payload.hpp"
#include "resident.hpp"

using namespace turn;
using namespace turn::bench;
using namespace std::chrono_literals;

TEST_CASE("load generator: a payload is what was written, and no bit of it may change") {
    for (const std::size_t size : {smallest_payload, std::size_t{33}, std::size_t{160}, std::size_t{1200}}) {
        std::vector<std::byte> payload(size);
        const time_point sent{12345ns};
        write_payload(payload, {.flow = 7, .way = direction::down, .sequence = 99, .sent = sent});

        const auto read = read_payload(payload, size);
        REQUIRE(read);
        CHECK(read->flow == 7);
        CHECK(read->way == direction::down);
        CHECK(read->sequence == 99);
        CHECK(read->sent == sent);

        CHECK_FALSE(read_payload(std::span(payload).first(size - 1), size));
        for (std::size_t bit = 0; bit < size * 8; ++bit) {
            const auto flip = std::byte(1U << bit % 8);
            payload[bit / 8] ^= flip;
            CHECK_FALSE(read_payload(payload, size));
            payload[bit / 8] ^= flip;
        }
    }
}

TEST_CASE("load generator: each packet of a flow counts once, whatever the order") {
    using verdict = arrivals::verdict;
    arrivals flow;
    CHECK(flow.arrived(0) == verdict::next);
    CHECK(flow.arrived(3) == verdict::after_gap);
    CHECK(flow.arrived(1) == verdict::reordered);
    CHECK(flow.arrived(1) == verdict::duplicate);
    CHECK(flow.arrived(3) == verdict::duplicate);
    CHECK(flow.arrived(4) == verdict::next);
    CHECK(flow.arrived(67) == verdict::after_gap); // 64 are remembered: 4 to 67
    CHECK(flow.arrived(4) == verdict::duplicate);
    CHECK(flow.arrived(5) == verdict::reordered);
    CHECK(flow.arrived(3) == verdict::too_late);
    CHECK(flow.arrived(1000) == verdict::after_gap);
    CHECK(flow.arrived(999) == verdict::reordered);
    CHECK(flow.arrived(67) == verdict::too_late);
}

TEST_CASE("load generator: quantiles are exact to one percent") {
    histogram h;
    CHECK(h.quantile(0.5) == 0ns);
    for (int us = 1; us <= 1000; ++us) h.add(std::chrono::microseconds(us));
    const auto near = [](std::chrono::nanoseconds is, std::chrono::nanoseconds wanted) {
        return is >= wanted && is <= wanted + wanted / 100;
    };
    CHECK(near(h.quantile(0.5), 500us));
    CHECK(near(h.quantile(0.99), 990us));
    CHECK(near(h.quantile(0.999), 999us));
    CHECK(h.quantile(1) == 1000us);
    CHECK(h.largest() == 1000us);

    histogram small; // below 256 ns every nanosecond has its own place
    for (int ns = 1; ns <= 200; ++ns) small.add(std::chrono::nanoseconds(ns));
    CHECK(small.quantile(0.5) == 100ns);
    CHECK(small.quantile(0.9) == 180ns);
    small.add(std::chrono::hours(1000));
    CHECK(small.largest() == std::chrono::hours(1000));

    histogram both;
    both.add(1ns);
    both.add(h);
    both.add(small);
    CHECK(both.count() == h.count() + small.count() + 1);
    CHECK(both.largest() == small.largest());
    CHECK(both.quantile(0.1) == 119ns); // the 120th of 1202: 1 ns twice, then each once
    CHECK(near(both.quantile(0.5), 400us));
}

TEST_CASE("load generator: what is due is spread evenly, and a stall is skipped instead of caught up with") {
    const time_point begin{1h};
    pace p(1000, begin);
    CHECK(p.due(begin) == 0);
    CHECK(p.due(begin + 3ms) == 3);
    p.take();
    p.take();
    CHECK(p.due(begin + 3ms) == 1);
    CHECK(p.number() == 2);
    CHECK(p.skipped() == 0);

    const auto after_stall = p.due(begin + 1s);
    CHECK(after_stall <= 6); // of the last 5 ms
    CHECK(p.number() + after_stall == 1000);
    CHECK(p.skipped() == 1000 - 2 - after_stall);
}

TEST_CASE("load generator: CPU time is that of the process and of the window") {
    meter m(::getpid());
    CHECK_FALSE(m.contains(std::chrono::steady_clock::now()));
    m.start();
    const auto inside = std::chrono::steady_clock::now();
    const auto burn_until = *cpu_time_of(0) + 2ms;
    while (*cpu_time_of(0) < burn_until) {}
    m.stop();
    CHECK(m.contains(inside));
    CHECK_FALSE(m.contains(std::chrono::steady_clock::now()));
    REQUIRE(m.server_cpu());
    CHECK(*m.server_cpu() >= 2ms);
    CHECK(m.own_cpu() >= 2ms);
    CHECK_FALSE(cpu_time_of(0x3ffffff)); // above the largest pid there can be
}

TEST_CASE("load generator: CPU time may be that of a server's threads of one name") {
    std::promise<void> burnt, read;
    std::thread thread([&, done = read.get_future()] {
        ::pthread_setname_np(::pthread_self(), "burns-0");
        const auto until = *cpu_time_of(0) + 20ms;
        while (*cpu_time_of(0) < until) {}
        burnt.set_value();
        done.wait(); // asleep, so that its account is complete
    });
    burnt.get_future().wait();
    std::this_thread::sleep_for(5ms);
    const auto of_thread = cpu_time_of_threads(::getpid(), "burns");
    const auto of_nobody = cpu_time_of_threads(::getpid(), "no such thread");
    read.set_value();
    thread.join();
    REQUIRE(of_thread);
    CHECK(*of_thread >= 10ms);
    CHECK(*of_thread <= *cpu_time_of(0));
    CHECK_FALSE(of_nobody);
    CHECK_FALSE(cpu_time_of_threads(0x3ffffff, "burns"));
}

TEST_CASE("load generator: Jain's index is 1 for equals, and falls to 1/n when one has all") {
    using shares = std::vector<std::uint64_t>;
    CHECK(jain_index(shares{7, 7, 7, 7}) == doctest::Approx(1));
    CHECK(jain_index(shares{0, 9, 0, 0}) == doctest::Approx(0.25));
    CHECK(jain_index(shares{1, 2, 3}) == doctest::Approx(36.0 / 42));
    CHECK(jain_index(shares{0, 0}) == 0);
    CHECK(jain_index(shares{4'000'000'000, 4'000'000'000}) == doctest::Approx(1)); // squares above 2^63
}

TEST_CASE("load generator: the memory of a process is what it has touched") {
    constexpr std::size_t size = 16 << 20;
    const auto before = resident_memory_of(::getpid());
    REQUIRE(before);
    CHECK(before->all > before->anonymous);
    CHECK(before->anonymous > 0);

    // Touched by the kernel: what a sanitizer keeps for each byte that we touch would count, too.
    void* const touched =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    REQUIRE(touched != MAP_FAILED);
    const auto with_it = resident_memory_of(0);
    REQUIRE(with_it);
    CHECK(with_it->all >= before->all + size);
    CHECK(with_it->anonymous >= before->anonymous + size);
    CHECK(with_it->anonymous < before->anonymous + 2 * size);
    CHECK(::munmap(touched, size) == 0);
    CHECK_FALSE(resident_memory_of(0x3ffffff)); // above the largest pid there can be
}
