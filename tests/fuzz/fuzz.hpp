#pragma once
/// What fuzz targets share: the entry point and a check that stays in every build.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

/// libFuzzer's entry point; replay.cpp calls it too. A broken property ends the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace turn::fuzz {

/// The defaults are the caller's place; clang 14 has no std::source_location.
inline void require(bool property, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (property) return;
    std::fprintf(stderr, "%s:%d: this property does not hold\n", file, line);
    std::abort();
}

inline std::span<const std::byte> as_bytes(const std::uint8_t* data, std::size_t size) {
    return std::as_bytes(std::span(data, size));
}

} // namespace turn::fuzz
