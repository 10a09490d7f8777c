#pragma once
/// An open-addressing hash table from a small trivially copyable key to a 32-bit index.
/// Linear probing with backward-shift deletion: no tombstones, so churn does not slow it down.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace turn {

/// Hash: a functor, seeded per table, since keys are chosen by strangers.
template <class Key, class Hash>
class flat_table {
public:
    using index = std::uint32_t;
    static constexpr index none = 0xffffffffU;

    explicit flat_table(Hash hash) : hash_(hash), entries_(minimum) {}

    [[nodiscard]] index find(const Key& key) const noexcept {
        for (std::size_t i = home(key);; i = next(i)) {
            const entry& e = entries_[i];
            if (e.value == none) return none;
            if (e.key == key) return e.value;
        }
    }
    /// Precondition: the key is not in the table. std::bad_alloc leaves the table as it was.
    void insert(const Key& key, index value) {
        if ((size_ + 1) * 2 > entries_.size()) rehash(entries_.size() * 2);
        place(key, value);
        ++size_;
    }
    void erase(const Key& key) noexcept {
        std::size_t hole = home(key);
        for (; entries_[hole].value == none || !(entries_[hole].key == key); hole = next(hole))
            if (entries_[hole].value == none) return;
        for (std::size_t i = next(hole); entries_[i].value != none; i = next(i)) {
            // An entry may move into the hole unless its home lies behind the hole.
            const std::size_t home_distance = (i - home(entries_[i].key)) & mask();
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
        Key key{};
        index value = none;
    };
    static constexpr std::size_t minimum = 64; // a power of two

    [[nodiscard]] std::size_t mask() const noexcept { return entries_.size() - 1; }
    [[nodiscard]] std::size_t home(const Key& key) const noexcept { return hash_(key) & mask(); }
    [[nodiscard]] std::size_t next(std::size_t i) const noexcept { return (i + 1) & mask(); }
    void place(const Key& key, index value) noexcept {
        std::size_t i = home(key);
        while (entries_[i].value != none) i = next(i);
        entries_[i] = {key, value};
    }
    void rehash(std::size_t capacity) {
        std::vector<entry> old(capacity < minimum ? minimum : capacity);
        std::swap(old, entries_);
        for (const entry& e : old)
            if (e.value != none) place(e.key, e.value);
    }

    Hash hash_;
    std::vector<entry> entries_;
    std::size_t size_ = 0;
};

} // namespace turn
