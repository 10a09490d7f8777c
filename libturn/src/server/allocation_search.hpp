#pragma once
/// One question about allocations, put to several shards.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "server/errand.hpp"
#include "turn/allocation_report.hpp"

namespace turn {

class allocation_search : public errand {
public:
    struct part : errand::part {
        explicit part(const std::shared_ptr<allocation_search>& of) noexcept : errand::part(of), search(*of) {}

        allocation_search& search;
        allocation_cursor at{};
        std::size_t found = 0; ///< handed over so far
    };

    const allocation_filter filter;
    const std::size_t most;

    allocation_search(allocation_filter f, std::size_t at_most, std::size_t shards)
        : errand(shards), filter(std::move(f)), most(at_most) {}

    /// Little by little, so that a shard neither moves nor frees many at once. May throw std::bad_alloc.
    void hand_over(std::vector<allocation_report> some) {
        const std::lock_guard lock(mutex_);
        found_.push_back(std::move(some));
    }
    /// What has come, after wait().
    [[nodiscard]] std::vector<allocation_report> take() {
        const std::lock_guard lock(mutex_);
        std::vector<allocation_report> all;
        for (auto& some : found_) {
            const auto count = static_cast<std::ptrdiff_t>(std::min(some.size(), most - all.size()));
            all.insert(all.end(), std::move_iterator(some.begin()), std::move_iterator(some.begin() + count));
        }
        found_.clear();
        return all;
    }

    /// An allocation was to be ended, and was.
    void set_ended() noexcept { ended_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool ended() const noexcept { return ended_.load(std::memory_order_relaxed); }

private:
    std::mutex mutex_{};
    std::vector<std::vector<allocation_report>> found_{};
    std::atomic<bool> ended_{false};
};

} // namespace turn
