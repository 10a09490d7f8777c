#include "sqlite_connection.hpp"

#include <cerrno>

namespace turnd {
namespace {

database_fault fault_of(int code, int system_error) noexcept {
    switch (code & 0xFF) { // the rest tells more about it
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return database_fault::locked;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return database_fault::damaged;
    case SQLITE_ERROR: // no such table: the statements themselves are good
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
        return database_fault::foreign;
    case SQLITE_FULL:
        return database_fault::full;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return database_fault::not_permitted;
    case SQLITE_CANTOPEN:
        return fault_of_opening(system_error);
    case SQLITE_NOMEM:
        return database_fault::out_of_memory;
    default:
        return system_error == ENOSPC || system_error == EDQUOT ? database_fault::full : database_fault::broken_io;
    }
}

} // namespace

database_fault fault_of_opening(int system_error) noexcept {
    switch (system_error) {
    case ENOENT:
    case ENOTDIR:
        return database_fault::missing;
    case ENOSPC:
    case EDQUOT:
        return database_fault::full;
    default:
        return database_fault::not_permitted;
    }
}

std::optional<database_error> sqlite_connection::open(const std::string& path, int flags,
                                                      std::chrono::milliseconds patience) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
    raw_.reset(opened); // also when it failed
    if (code != SQLITE_OK) return error(code);
    sqlite3_busy_timeout(opened, static_cast<int>(patience.count()));
    return {};
}

database_error sqlite_connection::error(int code) const {
    const int system_error = raw_ ? sqlite3_system_errno(raw_.get()) : 0;
    return {fault_of(code, system_error), raw_ ? sqlite3_errmsg(raw_.get()) : sqlite3_errstr(code)};
}

int sqlite_connection::run(const char* text) const noexcept {
    return sqlite3_exec(raw_.get(), text, nullptr, nullptr, nullptr);
}

database_result<std::int64_t> sqlite_connection::number(const char* text) const {
    sqlite_statement asked;
    if (const int code = asked.prepare(raw_.get(), text); code != SQLITE_OK) return error(code);
    return number(asked);
}

database_result<std::int64_t> sqlite_connection::number(const sqlite_statement& asked) const {
    statement_use now(asked);
    if (const int code = now.step(); code != SQLITE_ROW) return error(code);
    return now.number_at(0);
}

std::optional<database_error> sqlite_connection::transaction(const char* question, const char* text) const {
    if (const int code = run("BEGIN IMMEDIATE"); code != SQLITE_OK) return error(code);
    const auto wanted = number(question);
    int code = SQLITE_OK;
    if (wanted && *wanted == 1) code = run(text);
    if (code == SQLITE_OK) code = run("COMMIT");
    if (code == SQLITE_OK) return {};
    auto failed = error(code);
    (void)run("ROLLBACK");
    return failed;
}

} // namespace turnd
