#pragma once
/// Something that several shards are asked to do, each by a task, and how long to wait for them.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace turn {

/// Shared by who asks and the shards: whoever is last takes it away, since the one may give up before the others are
/// done.
class errand {
public:
    /// One shard's share. Its end says that the shard is done, also when the task that held it was never begun.
    struct part {
        explicit part(std::shared_ptr<errand> of) noexcept : whole(std::move(of)) {}
        part(const part&) = delete;
        part& operator=(const part&) = delete;
        ~part() { whole->one_is_done(); }

        std::shared_ptr<errand> whole;
    };

    explicit errand(std::size_t parts) noexcept : open_(parts) {}

    /// Nobody waits any more.
    [[nodiscard]] bool abandoned() const noexcept { return abandoned_.load(std::memory_order_relaxed); }
    /// Until all parts have ended, or for so long.
    void wait(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return open_ == 0; });
        abandoned_.store(true, std::memory_order_relaxed);
    }

private:
    void one_is_done() noexcept {
        const std::lock_guard lock(mutex_);
        --open_;
        changed_.notify_all();
    }

    std::mutex mutex_{};
    std::condition_variable changed_{};
    std::size_t open_;
    std::atomic<bool> abandoned_{false};
};

} // namespace turn
