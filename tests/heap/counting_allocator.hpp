#pragma once
/// Counts what a piece of code takes from the heap. Linking counting_allocator.cpp replaces the program's operator new.

#include <cstddef>

namespace turn::test {

/// While one of these lives, this thread's calls of operator new are counted.
class heap_watch {
public:
    heap_watch() noexcept;
    ~heap_watch();
    heap_watch(const heap_watch&) = delete;
    heap_watch& operator=(const heap_watch&) = delete;
    /// Calls since construction.
    [[nodiscard]] std::size_t allocations() const noexcept;
};

} // namespace turn::test
