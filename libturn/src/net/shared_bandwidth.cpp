#include "net/shared_bandwidth.hpp"

#include <algorithm>

namespace turn::net {

namespace {

/// Rather a few go on who can move something than all, by a handful of bytes each.
constexpr std::size_t least_share = 4096;

constexpr std::size_t at(direction d) noexcept {
    return static_cast<std::size_t>(d);
}

} // namespace

std::span<const std::uint32_t> shared_bandwidth::set(std::uint64_t bits_per_second, time_point now) noexcept {
    limit_ = bandwidth_limit(bits_per_second);
    named_.clear();
    for (std::uint32_t place = 0; place < allocations_.size(); ++place) {
        for (std::size_t way = 0; way < 2; ++way) {
            bucket& b = allocations_[place].buckets[way];
            b.full_again = limit_.emptied_no_more_than_this(b.full_again, now);
            b.share = everything[way];
            name(way, b, b.waiting.size());
            deadlines_.remove(deadline_of(place, way));
        }
    }
    return named_;
}

void shared_bandwidth::enter(std::uint32_t connection, const allocation_place& of) {
    if (of.index >= allocations_.size()) allocations_.resize(of.index + std::size_t{1});
    if (connection >= members_.size()) members_.resize(connection + std::size_t{1});
    members_[connection] = {.place = of.index};
    allocation& a = allocations_[of.index];
    if (a.number == of.number) return;
    a.number = of.number; // another one has the place now: its buckets are full
    for (bucket& b : a.buckets) {
        b.full_again = {};
        b.share = everything[0];
    }
}

void shared_bandwidth::leave(std::uint32_t connection) noexcept {
    if (connection >= members_.size() || members_[connection].place == member::nowhere) return;
    member& m = members_[connection];
    for (std::size_t way = 0; way < 2; ++way) {
        if (!m.waits[way]) continue;
        auto& waiting = allocations_[m.place].buckets[way].waiting;
        waiting.erase(std::find(waiting.begin(), waiting.end(), connection));
        --waiting_;
        if (waiting.empty()) deadlines_.remove(deadline_of(m.place, way));
    }
    m = {};
}

shared_bandwidth::amount shared_bandwidth::left_for(std::uint32_t connection, time_point now) const noexcept {
    const member& m = members_[connection];
    amount left{};
    for (std::size_t way = 0; way < 2; ++way) {
        const bucket& b = allocations_[m.place].buckets[way];
        if (m.waits[way]) continue;
        left[way] = limit_.left(b.full_again, now);
        if (b.full_again > now) left[way] = std::min(left[way], b.share); // else those who had one are done with it
    }
    return left;
}

void shared_bandwidth::take(std::uint32_t connection, const amount& taken, time_point now) noexcept {
    auto& buckets = allocations_[members_[connection].place].buckets;
    for (std::size_t way = 0; way < 2; ++way)
        if (taken[way] != 0) limit_.take(buckets[way].full_again, taken[way], now);
}

bool shared_bandwidth::wait(std::uint32_t connection, direction d) {
    member& m = members_[connection];
    if (m.waits[at(d)]) return false;
    bucket& b = allocations_[m.place].buckets[at(d)];
    const auto id = deadline_of(m.place, at(d));
    deadlines_.reserve(id);
    if (named_.capacity() <= waiting_) named_.reserve(2 * waiting_ + 16); // so that naming them cannot fail
    b.waiting.push_back(connection);
    m.waits[at(d)] = true;
    ++waiting_;
    deadlines_.set(id, limit_.worth_a_turn(b.full_again));
    return true;
}

std::span<const std::uint32_t> shared_bandwidth::tick(time_point now) noexcept {
    named_.clear();
    while (deadlines_.next() <= now) name_some(deadlines_.front(), now);
    return named_;
}

/// Those who have waited longest, with an equal share each; the others have their turn after a pause.
void shared_bandwidth::name_some(deadline_queue::id id, time_point now) noexcept {
    const std::size_t way = id % 2;
    bucket& b = allocations_[id / 2].buckets[way];
    const time_point enough = limit_.worth_a_turn(b.full_again);
    if (enough > now) return deadlines_.set(id, enough); // somebody who does not wait has taken of it
    const std::size_t left = limit_.left(b.full_again, now);
    const std::size_t count = std::clamp<std::size_t>(left / least_share, 1, b.waiting.size());
    b.share = left / count;
    name(way, b, count);
    if (b.waiting.empty())
        deadlines_.remove(id);
    else
        deadlines_.set(id, now + limit_.pause());
}

void shared_bandwidth::name(std::size_t way, bucket& b, std::size_t count) noexcept {
    const auto end = b.waiting.begin() + static_cast<std::ptrdiff_t>(count);
    for (auto one = b.waiting.begin(); one != end; ++one) {
        members_[*one].waits[way] = false;
        named_.push_back(*one);
    }
    b.waiting.erase(b.waiting.begin(), end);
    waiting_ -= count;
}

} // namespace turn::net
