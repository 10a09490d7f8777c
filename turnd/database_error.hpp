#pragma once
/// What can be wrong with the database of users, for programs and in words.

#include <cstdint>
#include <string>
#include <string_view>

#include "problem.hpp"
#include "turn/result.hpp"

namespace turnd {

/// Why the database cannot be used.
enum class database_fault : std::uint8_t {
    missing,       ///< there is no such file
    locked,        ///< another program keeps it to itself
    damaged,       ///< bytes in it are not as they were written
    foreign,       ///< a database, but not one of users, or of a later version
    outdated,      ///< of an earlier version, without what is wanted of it
    full,          ///< its file system has no room
    not_permitted, ///< the file, or its directory, may not be used by this process
    out_of_memory,
    broken_io, ///< the file system failed
};
/// "missing", "locked", ..., "not-permitted", ...
std::string_view name_of(database_fault) noexcept;

struct database_error {
    database_fault why{};
    std::string detail{}; ///< as the database engine has it
};
/// For an operator: what it means, and what to do.
complaint explain(const database_error&);

template <class T>
using database_result = turn::result<T, database_error>;

} // namespace turnd
