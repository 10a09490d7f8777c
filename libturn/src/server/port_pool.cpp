#include "server/port_pool.hpp"

#include <bit>
#include <cassert>

#include "base/crypto.hpp"

namespace turn {

namespace {

constexpr std::uint32_t word_bits = 64;
constexpr std::uint64_t even_bits = 0x5555555555555555U;

} // namespace

port_lease::~port_lease() {
    if (pool_ != nullptr) pool_->give_back(port_);
}

port_pool::port_pool(std::uint16_t min, std::uint16_t max, port_usage& usage)
    : base_(min - min % word_bits), usage_(usage), busy_((max - base_) / word_bits + 1, ~word{0}) {
    assert(min > 0 && min <= max);
    for (std::uint32_t port = min; port <= max; ++port)
        busy_[(port - base_) / word_bits] &= ~(word{1} << (port - base_) % word_bits);
}

std::optional<port_pool::taken> port_pool::take(port_wish wish) noexcept {
    const std::lock_guard lock(mutex_);
    const auto port = find(wish);
    if (!port) return std::nullopt;
    taken t{lease(*port), {}};
    if (wish == port_wish::even_and_reserve_next) t.next = lease(static_cast<std::uint16_t>(*port + 1));
    usage_.took(t.next ? 2 : 1);
    return t;
}

port_pool::word port_pool::candidates(port_wish wish, std::size_t at) const noexcept {
    const word free = ~busy_[at];
    switch (wish) {
    case port_wish::even:
        return free & even_bits;
    case port_wish::even_and_reserve_next:
        return free & (free >> 1) & even_bits;
    case port_wish::any:
        break;
    }
    return free;
}

std::optional<std::uint16_t> port_pool::find(port_wish wish) const noexcept {
    const std::size_t start = crypto::random64() % (busy_.size() * word_bits);
    const word from_start = ~word{0} << start % word_bits;
    for (std::size_t i = 0; i <= busy_.size(); ++i) { // the first word comes twice: its upper part, then its lower
        const std::size_t at = (start / word_bits + i) % busy_.size();
        word choice = candidates(wish, at);
        if (i == 0) choice &= from_start;
        if (choice == 0) continue;
        const auto bit = static_cast<std::uint32_t>(std::countr_zero(choice));
        return static_cast<std::uint16_t>(base_ + static_cast<std::uint32_t>(at) * word_bits + bit);
    }
    return std::nullopt;
}

port_lease port_pool::lease(std::uint16_t port) noexcept {
    busy_[(port - base_) / word_bits] |= word{1} << (port - base_) % word_bits;
    return {*this, port};
}

void port_pool::give_back(std::uint16_t port) noexcept {
    const std::lock_guard lock(mutex_);
    busy_[(port - base_) / word_bits] &= ~(word{1} << (port - base_) % word_bits);
    usage_.gave_back();
}

} // namespace turn
