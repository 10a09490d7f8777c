#include "base/bandwidth_limit.hpp"

#include <initializer_list>
#include <limits>
#include <random>

#include <doctest/doctest.h>

using namespace turn;
using namespace std::chrono_literals;

namespace {

const time_point start{1h};

/// The token bucket as textbooks have it, in billionths of a bit.
class textbook {
public:
    explicit textbook(std::uint64_t bits_per_second)
        : rate_(bits_per_second), depth_(std::max<std::uint64_t>(rate_ * 250'000'000, 65'536 * 8 * billion)),
          tokens_(depth_) {}
    bool spend(std::uint64_t size, time_point now) {
        tokens_ = std::min(depth_, tokens_ + rate_ * static_cast<std::uint64_t>((now - filled_).count()));
        filled_ = now;
        if (tokens_ < size * 8 * billion) return false;
        tokens_ -= size * 8 * billion;
        return true;
    }

private:
    static constexpr std::uint64_t billion = 1'000'000'000;
    std::uint64_t rate_, depth_, tokens_;
    time_point filled_ = start;
};

} // namespace

TEST_CASE("a bandwidth limit lets through exactly what a token bucket does") {
    // Rates at which a byte takes whole nanoseconds: both then reckon without a remainder.
    for (const std::uint64_t rate : {1'000U, 64'000U, 1'000'000U, 8'000'000U, 100'000'000U, 1'000'000'000U}) {
        CAPTURE(rate);
        const bandwidth_limit limit(rate);
        bandwidth_limit::bucket bucket{};
        textbook expected(rate);
        std::mt19937_64 random(rate);
        time_point now = start;
        int passed = 0, stopped = 0;
        for (int i = 0; i < 20'000; ++i) {
            const std::size_t size = 64 + random() % (random() % 8 == 0 ? 65'000 : 1400);
            const bool passes = limit.spend(bucket, size, now);
            REQUIRE(passes == expected.spend(size, now));
            ++(passes ? passed : stopped);
            // On average half the time that the datagram takes, now and then a pause.
            const std::chrono::nanoseconds takes(size * 8'000'000'000 / rate);
            now += std::chrono::nanoseconds(random() % static_cast<std::uint64_t>(takes.count()));
            if (random() % 1000 == 0) now += 100 * takes;
        }
        CHECK(passed > 1000);
        CHECK(stopped > 100);
    }
}

TEST_CASE("a bandwidth limit that does not divide evenly is met within two thousandths up to ten gigabits") {
    for (const std::uint64_t rate :
         std::initializer_list<std::uint64_t>{1'001, 3'333'333, 777'777'777, 9'999'999'999}) {
        CAPTURE(rate);
        const bandwidth_limit limit(rate);
        bandwidth_limit::bucket bucket{};
        while (limit.spend(bucket, 1200, start)) continue;
        // From empty, always asking, until ten thousand have passed.
        time_point now = start;
        const auto step = std::chrono::nanoseconds(std::max<std::uint64_t>(1, 1200 * 80'000'000ULL / rate));
        for (int passed = 0; passed < 10'000; now += step) passed += limit.spend(bucket, 1200, now) ? 1 : 0;
        const double ideal = 1200.0 * 8e9 * 10'000 / static_cast<double>(rate);
        CHECK(static_cast<double>((now - start).count()) == doctest::Approx(ideal).epsilon(0.002));
    }
}

TEST_CASE("a bandwidth limit reckons with every number") {
    bandwidth_limit::bucket slowest{};
    const bandwidth_limit one_bit(1);
    CHECK(one_bit.spend(slowest, 65'507, start));
    CHECK_FALSE(one_bit.spend(slowest, 64, start));
    CHECK_FALSE(one_bit.spend(slowest, 64, start + 279s)); // 29 bytes were left; 35 take 280 s
    CHECK(one_bit.spend(slowest, 64, start + 280s));

    bandwidth_limit::bucket fastest{};
    const bandwidth_limit everything(std::numeric_limits<std::uint64_t>::max());
    for (int i = 0; i < 100'000; ++i) REQUIRE(everything.spend(fastest, 65'507, start));
}

TEST_CASE("a bandwidth limit tells a stream how much is left, and lends it what it cannot divide") {
    const bandwidth_limit limit(8'000'000); // a byte a microsecond
    bandwidth_limit::bucket bucket{};
    CHECK(limit.left(bucket, start) == 250'000);
    limit.take(bucket, 200'000, start);
    CHECK(limit.left(bucket, start) == 50'000);
    CHECK(limit.left(bucket, start + 10ms) == 60'000);
    limit.take(bucket, 60'000, start);
    CHECK(limit.left(bucket, start) == 0);
    CHECK(limit.left(bucket, start + 10ms) == 0);
    CHECK(limit.left(bucket, start + 11ms) == 1'000);
    CHECK(limit.worth_a_turn(bucket) == start + 135ms);
    CHECK(limit.left(bucket, start + 135ms) == 125'000);
    CHECK(limit.left(bucket, start + 1h) == 250'000);
}

TEST_CASE("a bandwidth limit wakes nobody for less than 4 KiB, which are there before the bucket is half full") {
    for (const std::uint64_t rate : {1U, 1'000U, 64'000U, 262'144U, 10'000'000U, 4'000'000'000U}) {
        CAPTURE(rate);
        const bandwidth_limit limit(rate);
        bandwidth_limit::bucket bucket{};
        const std::size_t all = limit.left(bucket, start);
        limit.take(bucket, all, start);
        CHECK(limit.left(bucket, start) <= 1);
        CHECK(limit.left(bucket, start + limit.pause()) >= 4'095);
        CHECK(limit.left(bucket, start + limit.pause()) <= all / 2 + 1);
        CHECK(limit.pause() >= 125ms);
    }
}
