#pragma once
/// How many clients there are: IP addresses that have at least one allocation.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "turn/observer.hpp"

namespace turnd {

/// Told by shards of each allocation's begin and end, asked by whoever shows the status. As large as there are
/// allocations.
class client_count final : public turn::observer {
public:
    void allocation_created(const turn::allocation_info&) noexcept override;
    void allocation_ended(const turn::allocation_info&, const turn::usage&, turn::allocation_end) noexcept override;
    [[nodiscard]] std::size_t value() const;

private:
    struct ip_hash {
        std::size_t operator()(const turn::transport_address& ip) const noexcept;
    };
    mutable std::mutex mutex_;
    std::unordered_map<turn::transport_address, std::uint32_t, ip_hash> allocations_; ///< by address, port 0
};

} // namespace turnd
