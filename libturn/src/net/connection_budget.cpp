#include "net/connection_budget.hpp"

#include <new>

namespace turn::net {

std::uint64_t connection_budget::key_of(const transport_address& a) noexcept {
    std::uint64_t key = 0;
    for (std::size_t i = 0; i < (a.is_ipv4() ? 4U : 8U); ++i) key = key << 8 | a.ip[i];
    return key; // a /64 never begins with 32 zero bits in the wild
}

std::optional<reason> connection_budget::admit(const transport_address& source) noexcept try {
    const std::lock_guard lock(mutex_);
    if (in_use_ >= total_) return reason::connections_full;
    std::size_t& here = by_source_[key_of(source)];
    if (here >= per_source_) return reason::connections_per_source;
    ++here;
    ++in_use_;
    return std::nullopt;
} catch (const std::bad_alloc&) {
    return reason::out_of_memory;
}

void connection_budget::readmit(const transport_address& source) noexcept {
    const std::lock_guard lock(mutex_);
    ++in_use_;
    try {
        ++by_source_[key_of(source)];
    } catch (const std::bad_alloc&) { // then this one counts in the sum only
    }
}

void connection_budget::leave(const transport_address& source) noexcept {
    const std::lock_guard lock(mutex_);
    --in_use_;
    const auto here = by_source_.find(key_of(source));
    if (here != by_source_.end() && --here->second == 0) by_source_.erase(here);
}

std::size_t connection_budget::in_use() const noexcept {
    const std::lock_guard lock(mutex_);
    return in_use_;
}

void connection_budget::set_limits(std::size_t total, std::size_t per_source) noexcept {
    const std::lock_guard lock(mutex_);
    total_ = total;
    per_source_ = per_source;
}

} // namespace turn::net
