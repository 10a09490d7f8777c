#pragma once
/// A sequence that mostly has one element, which it holds without memory of its own.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace turn {

template <class T>
class few {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    few() noexcept = default;
    few(few&& other) noexcept { swap(other); }
    few& operator=(few&& other) noexcept {
        swap(other);
        return *this;
    }
    ~few() {
        if (!is_inline()) delete[] many();
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* begin() noexcept { return is_inline() ? only() : many(); }
    [[nodiscard]] T* end() noexcept { return begin() + size_; }
    [[nodiscard]] const T* begin() const noexcept { return is_inline() ? only() : many(); }
    [[nodiscard]] const T* end() const noexcept { return begin() + size_; }

    /// Room for `count` in all. std::bad_alloc leaves it as it was.
    void reserve(std::size_t count) {
        if (count <= capacity_) return;
        const std::size_t larger = std::max<std::size_t>({count, std::size_t{capacity_} * 2, 4});
        T* const more = new T[larger];
        std::copy(begin(), end(), more);
        if (!is_inline()) delete[] many();
        point_to(more);
        capacity_ = static_cast<std::uint32_t>(larger);
    }
    /// std::bad_alloc leaves it as it was.
    void push_back(const T& element) {
        const T copy = element; // it may be one of ours
        reserve(size_ + std::size_t{1});
        begin()[size_++] = copy;
    }
    /// How many there were. Gives memory back when one is left, or none.
    template <class Predicate>
    std::size_t erase_if(Predicate predicate) noexcept {
        const std::uint32_t before = size_;
        size_ = static_cast<std::uint32_t>(std::remove_if(begin(), end(), predicate) - begin());
        if (size_ <= 1 && !is_inline()) {
            const T* const old = many();
            ::new (static_cast<void*>(room_)) T(*old);
            capacity_ = 1;
            delete[] old;
        }
        return before - size_;
    }

private:
    [[nodiscard]] bool is_inline() const noexcept { return capacity_ == 1; }
    [[nodiscard]] T* only() noexcept { return std::launder(reinterpret_cast<T*>(room_)); }
    [[nodiscard]] const T* only() const noexcept { return std::launder(reinterpret_cast<const T*>(room_)); }
    [[nodiscard]] T* many() const noexcept {
        T* pointer = nullptr;
        std::memcpy(&pointer, room_, sizeof(void*));
        return pointer;
    }
    void point_to(T* pointer) noexcept { std::memcpy(room_, &pointer, sizeof(void*)); }
    void swap(few& other) noexcept {
        std::swap(room_, other.room_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    alignas(T) alignas(void*) std::byte room_[std::max(sizeof(T), sizeof(void*))]{}; ///< the only element, or a T*
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 1; ///< 1: inline
};

} // namespace turn
