#pragma once
/// Answers to credential look-ups on their way to a shard, from any thread.

#include <cstddef>
#include <functional>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "turn/relay.hpp"

namespace turn {

/// Many writers, one reader (the shard's thread), bounded. Who writes holds it weakly, and close() comes before the
/// shard's end: a late answer finds nobody and does nothing.
class mailbox {
public:
    struct letter {
        ticket_id ticket{};
        credential_answer answer{std::nullopt};
    };

    /// `wake` makes the reader call take() soon; called under the lock by any thread, so it must only post.
    mailbox(std::size_t limit, std::function<void()> wake) : limit_(limit), wake_(std::move(wake)) {}

    /// Does nothing when closed, full or out of memory: the look-up then ends by its time-out.
    void put(letter l) noexcept try {
        const std::lock_guard lock(mutex_);
        if (closed_ || letters_.size() >= limit_) return;
        letters_.push_back(std::move(l));
        if (!reader_will_look_) wake_();
        reader_will_look_ = true;
    } catch (const std::bad_alloc&) {}

    /// The reader promises to call take() until it is empty: nobody needs to wake it.
    void will_look() {
        const std::lock_guard lock(mutex_);
        reader_will_look_ = true;
    }

    /// Swaps what has come into `out` (emptied first); false when there was nothing: then the next put() wakes.
    bool take(std::vector<letter>& out) {
        out.clear();
        const std::lock_guard lock(mutex_);
        out.swap(letters_);
        reader_will_look_ = !out.empty();
        return reader_will_look_;
    }

    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        letters_.clear();
    }

private:
    const std::size_t limit_;
    const std::function<void()> wake_;
    std::mutex mutex_{};
    std::vector<letter> letters_{};
    bool reader_will_look_ = false;
    bool closed_ = false;
};

} // namespace turn
