#pragma once
/// Objects of one type, named by a small dense index that stays the same while the object lives.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace turn {

template <class T>
class slot_map {
public:
    using index = std::uint32_t;

    /// Strong guarantee: when memory runs out (std::bad_alloc) nothing has changed.
    template <class... Args>
    index emplace(Args&&... args) {
        auto object = std::make_unique<T>(std::forward<Args>(args)...);
        if (free_.empty()) {
            if (free_.capacity() <= slots_.size()) free_.reserve(slots_.size() * 2 + 16); // erase() never allocates
            slots_.push_back(std::move(object));
            ++size_;
            return static_cast<index>(slots_.size() - 1);
        }
        const index i = free_.back();
        free_.pop_back();
        slots_[i] = std::move(object);
        ++size_;
        return i;
    }
    void erase(index i) noexcept {
        slots_[i].reset();
        free_.push_back(i);
        --size_;
    }
    /// Null when nothing lives there.
    T* find(index i) noexcept { return i < slots_.size() ? slots_[i].get() : nullptr; }
    /// Precondition: something lives there.
    T& operator[](index i) noexcept { return *slots_[i]; }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// One more than the largest index ever used.
    [[nodiscard]] index end() const noexcept { return static_cast<index>(slots_.size()); }

private:
    std::vector<std::unique_ptr<T>> slots_;
    std::vector<index> free_;
    std::size_t size_ = 0;
};

} // namespace turn
