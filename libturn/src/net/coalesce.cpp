#include "net/coalesce.hpp"

#include <cassert>
#include <cstring>

#include "net/udp_socket.hpp"

namespace turn::net {
namespace {

bool same_pair(const datagram& a, const datagram& b) noexcept {
    return a.via == b.via && a.to.port == b.to.port && a.to.ip == b.to.ip && a.to.family == b.to.family;
}

std::size_t hash_pair(const datagram& d) noexcept {
    std::array<std::uint64_t, 2> ip{};
    std::memcpy(ip.data(), d.to.ip.data(), sizeof ip);
    std::uint64_t h = ip[0] ^ (ip[1] * 0x9e3779b97f4a7c15U) ^ (std::uint64_t{static_cast<std::uint32_t>(d.via)} << 32) ^
                      (std::uint64_t{d.to.port} << 16);
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93U;
    return static_cast<std::size_t>(h >> 40);
}

} // namespace

void coalescer::clear() noexcept {
    size_ = 0;
    table_.fill(vacant);
}

coalescer::placement coalescer::add(std::span<const datagram> batch, std::uint32_t index,
                                    std::uint32_t largest_segment) noexcept {
    assert(index < most_datagrams && size_ < most_datagrams);
    const datagram& d = batch[index];
    const auto size = static_cast<std::uint32_t>(d.size());
    next_[index] = train::none;

    std::uint16_t& latest = latest_of_pair(batch, d);
    if (latest != vacant && joins(trains_[latest], d)) {
        train& t = trains_[latest];
        next_[t.last] = index;
        t.last = index;
        t.bytes += size;
        t.count += 1;
        t.open = size == t.segment; // a shorter one ends the train
        return {latest, false};
    }

    train& t = trains_[size_];
    t = {};
    t.first = t.last = index;
    t.bytes = t.segment = size;
    t.count = 1;
    t.traffic_class = d.traffic_class;
    t.open = size <= largest_segment && !d.dont_fragment;
    latest = static_cast<std::uint16_t>(size_);
    return {static_cast<std::uint32_t>(size_++), true};
}

// Linear probing. Chosen addresses can make it compare with every train of the batch, but not with more: 256.
std::uint16_t& coalescer::latest_of_pair(std::span<const datagram> batch, const datagram& d) noexcept {
    for (std::size_t at = hash_pair(d);; ++at) {
        std::uint16_t& entry = table_[at % table_size];
        if (entry == vacant || same_pair(batch[trains_[entry].first], d)) return entry;
    }
}

bool coalescer::joins(const train& t, const datagram& d) const noexcept {
    return t.open && !d.dont_fragment && d.traffic_class == t.traffic_class && d.size() > 0 && d.size() <= t.segment &&
           t.count < most_segments_ && t.bytes + d.size() <= largest_payload;
}

} // namespace turn::net
