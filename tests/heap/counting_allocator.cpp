#include "counting_allocator.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local bool watched = false;
thread_local std::size_t counted = 0;

void* allocate(std::size_t size, std::size_t alignment) {
    if (watched) ++counted;
    if (size == 0) size = 1;
    void* p = alignment <= alignof(std::max_align_t)
                  ? std::malloc(size)
                  : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}

} // namespace

namespace turn::test {

heap_watch::heap_watch() noexcept {
    counted = 0;
    watched = true;
}
heap_watch::~heap_watch() {
    watched = false;
}
std::size_t heap_watch::allocations() const noexcept {
    return counted;
}

} // namespace turn::test

// The standard's other forms (arrays, nothrow) call these.
void* operator new(std::size_t size) {
    return allocate(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept {
    std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
    std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
    std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    std::free(p);
}
