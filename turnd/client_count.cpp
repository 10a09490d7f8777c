#include "client_count.hpp"

#include <functional>
#include <new>
#include <string_view>

namespace turnd {

std::size_t client_count::ip_hash::operator()(const turn::transport_address& ip) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(ip.ip.data()), ip.ip.size()});
}

void client_count::allocation_created(const turn::allocation_info& made) noexcept {
    const std::lock_guard lock(mutex_);
    try {
        ++allocations_[made.client.with_port(0)];
    } catch (const std::bad_alloc&) { // then this client is not counted
    }
}

void client_count::allocation_ended(const turn::allocation_info& ended, const turn::usage&,
                                    turn::allocation_end) noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = allocations_.find(ended.client.with_port(0));
    if (at != allocations_.end() && --at->second == 0) allocations_.erase(at);
}

std::size_t client_count::value() const {
    const std::lock_guard lock(mutex_);
    return allocations_.size();
}

} // namespace turnd
