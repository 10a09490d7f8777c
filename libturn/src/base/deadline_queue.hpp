#pragma once
/// What ends when: one deadline for each small dense id, the earliest first. A 4-ary heap that knows where each id
/// stands, so a deadline is moved or removed in place and nothing stale is ever kept.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "turn/packet.hpp"

namespace turn {

class deadline_queue {
public:
    using id = std::uint32_t;

    /// time_point::max() when empty.
    [[nodiscard]] time_point next() const noexcept { return heap_.empty() ? time_point::max() : heap_.front().when; }
    /// Precondition: not empty.
    [[nodiscard]] id front() const noexcept { return heap_.front().who; }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }

    /// Makes room for `who`, so that set(who, …) cannot fail. May throw std::bad_alloc, then nothing has changed.
    void reserve(id who) {
        if (who >= position_.size()) position_.resize(static_cast<std::size_t>(who) + 1, nowhere);
        if (position_[who] == nowhere && heap_.capacity() <= heap_.size() + reserved_slack)
            heap_.reserve(heap_.size() * 2 + 2 * reserved_slack);
    }
    /// Sets or moves the deadline of `who`. Precondition: reserve(who).
    void set(id who, time_point when) noexcept {
        if (position_[who] == nowhere) {
            position_[who] = static_cast<std::uint32_t>(heap_.size());
            heap_.push_back({when, who});
        }
        const std::size_t at = position_[who];
        heap_[at].when = when;
        down(up(at));
    }
    void remove(id who) noexcept {
        if (who >= position_.size() || position_[who] == nowhere) return;
        const std::size_t at = position_[who];
        position_[who] = nowhere;
        const entry last = heap_.back();
        heap_.pop_back();
        if (at == heap_.size()) return;
        put(at, last);
        down(up(at));
    }

private:
    struct entry {
        time_point when;
        id who;
    };
    static constexpr std::uint32_t nowhere = 0xffffffffU;
    static constexpr std::size_t arity = 4;
    // Ids reserved but not yet set: far fewer than this at any time (one request, one look-up).
    static constexpr std::size_t reserved_slack = 8;

    void put(std::size_t at, const entry& e) noexcept {
        heap_[at] = e;
        position_[e.who] = static_cast<std::uint32_t>(at);
    }
    std::size_t up(std::size_t at) noexcept {
        const entry moving = heap_[at];
        for (; at > 0 && moving.when < heap_[(at - 1) / arity].when; at = (at - 1) / arity)
            put(at, heap_[(at - 1) / arity]);
        put(at, moving);
        return at;
    }
    void down(std::size_t at) noexcept {
        const entry moving = heap_[at];
        for (;;) {
            const std::size_t first = at * arity + 1;
            if (first >= heap_.size()) break;
            std::size_t least = first;
            for (std::size_t i = first + 1; i < first + arity && i < heap_.size(); ++i)
                if (heap_[i].when < heap_[least].when) least = i;
            if (!(heap_[least].when < moving.when)) break;
            put(at, heap_[least]);
            at = least;
        }
        put(at, moving);
    }

    std::vector<entry> heap_;
    std::vector<std::uint32_t> position_;
};

} // namespace turn
