#include "user_schema.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include "turn/stun/credentials.hpp"

namespace turnd {
namespace {

constexpr int application_id = 0x7475726e; // "turn"
constexpr int schema_version = 2;

/// `removals` is how a running turnd hears whose relays to end.
constexpr const char* schema = R"(
CREATE TABLE users (
    realm TEXT NOT NULL,
    name TEXT NOT NULL,
    md5 BLOB NOT NULL CHECK (length(md5) = 16),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    changed INTEGER NOT NULL,
    userhash BLOB CHECK (length(userhash) = 32),
    PRIMARY KEY (realm, name)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX users_by_hash ON users (userhash);
CREATE TABLE removals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    realm TEXT NOT NULL,
    name TEXT NOT NULL
) STRICT;
CREATE TRIGGER user_removed AFTER DELETE ON users BEGIN
    INSERT INTO removals (realm, name) VALUES (old.realm, old.name);
    DELETE FROM removals WHERE id <= (SELECT max(id) FROM removals) - 100000;
END;
PRAGMA application_id = 0x7475726e;
PRAGMA user_version = 2;
)";

/// From version 1, which had no hashes.
constexpr const char* upgrade = R"(
ALTER TABLE users ADD COLUMN userhash BLOB CHECK (length(userhash) = 32);
UPDATE users SET userhash = userhash_of(name, realm);
CREATE UNIQUE INDEX users_by_hash ON users (userhash);
PRAGMA user_version = 2;
)";

std::string_view text_of(sqlite3_value* value) noexcept {
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
    return {text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

/// NULL for what no client could ever send.
void userhash_of(sqlite3_context* context, int, sqlite3_value** arguments) noexcept {
    const auto hash = turn::stun::hash_username(text_of(arguments[0]), text_of(arguments[1]));
    if (hash)
        sqlite3_result_blob(context, hash->data(), static_cast<int>(hash->size()), SQLITE_TRANSIENT);
    else
        sqlite3_result_null(context);
}

/// In a file without anything in it. Several programs may try at once.
std::optional<database_error> make_schema(const sqlite_connection& connection) {
    // A file of another program's keeps its journal as it is.
    const auto pages = connection.number("PRAGMA page_count");
    if (!pages) return pages.error();
    if (*pages == 0)
        if (const int code = connection.run("PRAGMA journal_mode = WAL"); code != SQLITE_OK)
            return connection.error(code);
    return connection.transaction("SELECT (SELECT application_id FROM pragma_application_id) = 0 AND "
                                  "(SELECT count(*) FROM sqlite_schema) = 0",
                                  schema);
}

/// Several programs may try at once.
std::optional<database_error> bring_up_to_date(const sqlite_connection& connection) {
    const char* const is_old = "SELECT user_version = 1 FROM pragma_user_version";
    const auto old = connection.number(is_old);
    if (!old) return old.error();
    if (*old == 0) return {};
    return connection.transaction(is_old, upgrade);
}

} // namespace

database_result<std::int64_t> settle_user_schema(const sqlite_connection& connection, user_database::access how,
                                                 bool by_userhash) {
    using access = user_database::access;
    sqlite3* const open = connection.raw();
    sqlite3_db_config(open, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(open, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    // Pages are checked when they are read. They are read, not mapped: a mapping of a file that shrinks is a signal.
    if (const int code = sqlite3_create_function_v2(open, "userhash_of", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                                                    userhash_of, nullptr, nullptr, nullptr);
        code != SQLITE_OK)
        return connection.error(code);
    for (const char* setting : {"PRAGMA cell_size_check = ON", "PRAGMA mmap_size = 0"})
        if (const int code = connection.run(setting); code != SQLITE_OK) return connection.error(code);
    if (how != access::look_up) {
        // A removed key is overwritten, not just forgotten.
        if (const int code = connection.run("PRAGMA secure_delete = ON"); code != SQLITE_OK)
            return connection.error(code);
        if (how == access::create)
            if (auto bad = make_schema(connection)) return *std::move(bad);
    }
    const auto application = connection.number("PRAGMA application_id");
    if (!application) return application.error();
    if (*application != application_id) return database_error{database_fault::foreign, "not a database of turnd's"};
    if (how != access::look_up)
        if (auto bad = bring_up_to_date(connection)) return *std::move(bad);
    const auto version = connection.number("PRAGMA user_version");
    if (!version) return version.error();
    if (*version < 1 || *version > schema_version)
        return database_error{database_fault::foreign, "made by another version of turnctl"};
    if (*version < schema_version && by_userhash)
        return database_error{database_fault::outdated, "no hashes of names in it"};
    return *version;
}

} // namespace turnd
