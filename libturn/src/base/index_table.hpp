#pragma once
/// An open-addressing hash table of 32-bit indexes to objects that hold their own keys. Eight bytes an entry, so that
/// one cache line is eight places to look at, and the key is read where it is needed anyway.
/// Linear probing with backward-shift deletion: no tombstones, so churn does not slow it down.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace turn {

class index_table {
public:
    using index = std::uint32_t;
    /// Of a key, seeded per table, since keys are chosen by strangers.
    using hash = std::uint32_t;
    static constexpr index none = 0xffffffffU;

    index_table() : entries_(minimum) {}

    /// `same`: whether the object of an index has the key.
    template <class Same>
    [[nodiscard]] index find(hash h, Same&& same) const noexcept {
        for (std::size_t i = h & mask();; i = next(i)) {
            const entry& e = entries_[i];
            if (e.value == none) return none;
            if (e.hashed == h && same(e.value)) return e.value;
        }
    }
    /// Where find() will most likely end; it looks at no key.
    [[nodiscard]] index guess(hash h) const noexcept {
        return find(h, [](index) { return true; });
    }
    /// Fetches what find() and guess() read first.
    void prefetch(hash h) const noexcept { __builtin_prefetch(&entries_[h & mask()]); }

    /// Precondition: `value` is not in the table. std::bad_alloc leaves the table as it was.
    void insert(hash h, index value) {
        if ((size_ + 1) * 2 > entries_.size()) rehash(entries_.size() * 2);
        place({h, value});
        ++size_;
    }
    /// Does nothing when it is not in the table.
    void erase(hash h, index value) noexcept {
        std::size_t hole = h & mask();
        for (; entries_[hole].value != value; hole = next(hole))
            if (entries_[hole].value == none) return;
        for (std::size_t i = next(hole); entries_[i].value != none; i = next(i)) {
            // An entry may move into the hole unless its home lies behind the hole.
            const std::size_t home_distance = (i - entries_[i].hashed) & mask();
            const std::size_t hole_distance = (i - hole) & mask();
            if (home_distance < hole_distance) continue;
            entries_[hole] = entries_[i];
            hole = i;
        }
        entries_[hole].value = none;
        --size_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Gives memory back after churn. std::bad_alloc leaves the table as it was.
    void shrink() {
        if (entries_.size() > minimum && size_ * 16 < entries_.size()) rehash(entries_.size() / 4);
    }

private:
    struct entry {
        hash hashed = 0;
        index value = none;
    };
    static constexpr std::size_t minimum = 64; // a power of two

    [[nodiscard]] std::size_t mask() const noexcept { return entries_.size() - 1; }
    [[nodiscard]] std::size_t next(std::size_t i) const noexcept { return (i + 1) & mask(); }
    void place(const entry& e) noexcept {
        std::size_t i = e.hashed & mask();
        while (entries_[i].value != none) i = next(i);
        entries_[i] = e;
    }
    void rehash(std::size_t capacity) {
        std::vector<entry> old(capacity < minimum ? minimum : capacity);
        std::swap(old, entries_);
        for (const entry& e : old)
            if (e.value != none) place(e);
    }

    std::vector<entry> entries_;
    std::size_t size_ = 0;
};

} // namespace turn
