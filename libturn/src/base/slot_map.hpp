#pragma once
/// Objects of one type, named by a small dense index that stays the same while the object lives.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace turn {

/// Chunks of 64. The lowest free index is taken first, so that the upper chunks run empty when there are fewer objects,
/// and are given back.
template <class T>
class slot_map {
public:
    using index = std::uint32_t;

    slot_map() = default;
    slot_map(const slot_map&) = delete;
    slot_map& operator=(const slot_map&) = delete;
    ~slot_map() {
        for (index i = 0; i < end(); ++i)
            if (T* const object = find(i)) std::destroy_at(object);
    }

    /// Strong guarantee: when memory runs out (std::bad_alloc) nothing has changed.
    template <class... Args>
    index emplace(Args&&... args) {
        const std::size_t c = chunk_with_room();
        const auto bit = static_cast<std::size_t>(std::countr_zero(free_[c]));
        ::new (static_cast<void*>(chunks_[c]->places[bit].room)) T(std::forward<Args>(args)...);
        free_[c] &= ~(word{1} << bit);
        ++size_;
        return static_cast<index>(c * chunk_size + bit);
    }
    void erase(index i) noexcept {
        const std::size_t c = i / chunk_size;
        std::destroy_at(&(*this)[i]);
        free_[c] |= word{1} << i % chunk_size;
        first_ = std::min(first_, c);
        --size_;
        if (free_[c] == all_free) spare_ = std::move(chunks_[c]); // one is kept, for who comes next
    }
    /// Null when nothing lives there.
    T* find(index i) noexcept {
        const std::size_t c = i / chunk_size;
        return c < free_.size() && (free_[c] >> i % chunk_size & 1) == 0 ? &(*this)[i] : nullptr;
    }
    /// Precondition: something lives there.
    T& operator[](index i) noexcept {
        return *std::launder(reinterpret_cast<T*>(chunks_[i / chunk_size]->places[i % chunk_size].room));
    }
    const T& operator[](index i) const noexcept {
        return *std::launder(reinterpret_cast<const T*>(chunks_[i / chunk_size]->places[i % chunk_size].room));
    }
    /// Fetches the first `size` bytes of an object. Precondition: something lives there.
    void prefetch(index i, std::size_t size) const noexcept {
        const std::byte* const object = chunks_[i / chunk_size]->places[i % chunk_size].room;
        for (std::size_t line = 0; line < size; line += 64) __builtin_prefetch(object + line);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// No index in use is larger or equal.
    [[nodiscard]] index end() const noexcept { return static_cast<index>(chunks_.size() * chunk_size); }

private:
    using word = std::uint64_t;
    static constexpr std::size_t chunk_size = 64;
    static constexpr word all_free = ~word{0};

    struct place {
        alignas(T) std::byte room[sizeof(T)];
    };
    struct chunk {
        place places[chunk_size];
    };

    /// The first chunk with a free place, made if it has to be.
    std::size_t chunk_with_room() {
        while (first_ < free_.size() && free_[first_] == 0) ++first_;
        if (first_ == chunks_.size()) {
            if (free_.capacity() <= first_)
                free_.reserve(first_ * 2 + 16); // so that the two grow together or not at all
            chunks_.emplace_back();
            free_.push_back(all_free);
        }
        if (!chunks_[first_]) chunks_[first_] = spare_ ? std::move(spare_) : std::make_unique_for_overwrite<chunk>();
        return first_;
    }

    std::vector<std::unique_ptr<chunk>> chunks_{}; ///< null: all its places are free
    std::vector<word> free_{};                     ///< a bit for each place of a chunk
    std::size_t first_ = 0;                        ///< no chunk before this one has room
    std::unique_ptr<chunk> spare_{};
    std::size_t size_ = 0;
};

} // namespace turn
