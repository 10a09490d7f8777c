#pragma once
/// What people read: tables, and numbers in units.

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace turnctl {

/// Lines of a table, columns as wide as they must be, two spaces between them. The first row is the head.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// "90 B", "12.3 kB", "4.5 GB": powers of 1000.
std::string bytes_in_words(std::uint64_t);

/// "42 s", "3 min 5 s", "2 h 7 min", "3 d 4 h".
std::string seconds_in_words(std::int64_t);

/// A text of an answer, fit for a terminal. Throws what nlohmann throws when it is none.
std::string shown(const nlohmann::ordered_json&);

/// Names and numbers of an object: "expired 3, bad-password 1". `nothing` when it is empty.
std::string counts(const nlohmann::ordered_json&, const std::string& nothing);

} // namespace turnctl
