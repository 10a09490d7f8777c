#pragma once
/// One question about allocations, put to several shards, and how long to wait for their answers.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "turn/allocation_report.hpp"

namespace turn {

/// Shared by who asks and the shards that look: whoever is last takes it away, since the one may give up before the
/// others have looked.
class allocation_search {
public:
    /// One shard's share of the work. Its end is the shard's answer, also when the task that held it was never done.
    struct part {
        explicit part(std::shared_ptr<allocation_search> of) noexcept : whole(std::move(of)) {}
        part(const part&) = delete;
        part& operator=(const part&) = delete;
        ~part() { whole->answered(ended); }

        std::shared_ptr<allocation_search> whole;
        allocation_cursor at{};
        std::size_t found = 0; ///< handed over so far
        bool ended = false;    ///< an allocation was to be ended, and was
    };

    const allocation_filter filter;
    const std::size_t most;

    allocation_search(allocation_filter f, std::size_t at_most, std::size_t shards)
        : filter(std::move(f)), most(at_most), unanswered_(shards) {}

    /// Little by little, so that a shard neither moves nor frees many at once. May throw std::bad_alloc.
    void hand_over(std::vector<allocation_report> some) {
        const std::lock_guard lock(mutex_);
        found_.push_back(std::move(some));
    }

    /// Nobody waits for the answer any more.
    [[nodiscard]] bool abandoned() const noexcept { return abandoned_.load(std::memory_order_relaxed); }

    /// Until all parts have ended, or for so long.
    void wait(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return unanswered_ == 0; });
        abandoned_.store(true, std::memory_order_relaxed);
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
    [[nodiscard]] bool ended() const {
        const std::lock_guard lock(mutex_);
        return ended_;
    }

private:
    void answered(bool ended) noexcept {
        const std::lock_guard lock(mutex_);
        ended_ = ended_ || ended;
        --unanswered_;
        changed_.notify_all();
    }

    mutable std::mutex mutex_{};
    std::condition_variable changed_{};
    std::size_t unanswered_;
    std::vector<std::vector<allocation_report>> found_{};
    bool ended_ = false;
    std::atomic<bool> abandoned_{false};
};

} // namespace turn
