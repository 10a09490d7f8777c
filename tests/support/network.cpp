#include "support/network.hpp"

namespace turn::test {

void network::send(flight f, time_point now) {
    if (happens(conditions.loss) || (conditions.lose && conditions.lose(f))) return;
    const auto due = [&] {
        auto wait = conditions.delay;
        if (conditions.jitter.count() > 0)
            wait += std::chrono::milliseconds(random(static_cast<std::uint64_t>(conditions.jitter.count()) + 1));
        return now + wait;
    };
    if (happens(conditions.duplication)) under_way_.emplace(due(), f);
    under_way_.emplace(due(), std::move(f));
}

bool network::arrived(time_point now, flight& out) {
    if (under_way_.empty() || under_way_.begin()->first > now) return false;
    out = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    return true;
}

time_point network::next_arrival() const noexcept {
    return under_way_.empty() ? time_point::max() : under_way_.begin()->first;
}

std::uint64_t network::random(std::uint64_t bound) {
    return bound == 0 ? 0 : generator()() % bound;
}

bool network::happens(double share) {
    return share > 0 && static_cast<double>(generator()() >> 11) * 0x1.0p-53 < share;
}

std::mt19937_64& network::generator() {
    if (seeded_with_ != conditions.seed) {
        generator_.seed(conditions.seed);
        seeded_with_ = conditions.seed;
    }
    return generator_;
}

} // namespace turn::test
