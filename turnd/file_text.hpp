#pragma once
/// Small files read whole: the configuration, and secrets one a line.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"

namespace turnd {

/// The whole file, at most `max_bytes`. The complaint names what the operating system said.
parsed<std::string> read_file(const std::string& path, std::size_t max_bytes = std::size_t{1} << 20);

/// What is wrong with the path of a file that is read later, such as a certificate or a key; nothing when the file can
/// be read and is not empty.
std::optional<complaint> check_file(const std::string& path);

struct numbered_line {
    unsigned number = 0; ///< from 1
    std::string text{};
};
/// Its lines without their ends (LF or CR LF), empty ones left out.
std::vector<numbered_line> lines_of(std::string_view text);

/// Overwrites and empties a text that held a secret.
void wipe(std::string& secret) noexcept;

} // namespace turnd
