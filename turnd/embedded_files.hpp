#pragma once
/// The files of turnd/page, built into the program by embed_files.cmake.

#include <span>
#include <string_view>

namespace turnd {

struct embedded_file {
    std::string_view path;         ///< in URLs; "/" is index.html
    std::string_view content_type; ///< by the file's extension
    std::string_view etag;         ///< in quotes; another one for other bytes
    std::string_view bytes;
};

std::span<const embedded_file> embedded_files() noexcept;

/// By path, or nullptr.
const embedded_file* find_embedded_file(std::string_view path) noexcept;

} // namespace turnd
