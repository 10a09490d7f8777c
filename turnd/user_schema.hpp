#pragma once
/// The tables of the database of users, and how a database of an earlier version gets them.

#include <cstdint>

#include "database_error.hpp"
#include "sqlite_connection.hpp"
#include "user_database.hpp"

namespace turnd {

/// Makes sure that what has been opened is a database of ours, safe to use, and as far as `how` allows of the latest
/// version. Returns its version: 1, which has no hashes, or 2.
database_result<std::int64_t> settle_user_schema(const sqlite_connection&, user_database::access how, bool by_userhash);

} // namespace turnd
