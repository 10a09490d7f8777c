#pragma once
/// An SQLite file that is open: statements, what they are run with, and what their errors mean for its users.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "database_error.hpp"
#include "turn/packet.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {

/// From the errno of open() and its like.
database_fault fault_of_opening(int system_error) noexcept;

/// A prepared statement; what it is run with is bound, never pasted.
class sqlite_statement {
public:
    sqlite_statement() = default;
    sqlite_statement(const sqlite_statement&) = delete;
    sqlite_statement& operator=(const sqlite_statement&) = delete;
    ~sqlite_statement() { sqlite3_finalize(raw_); }

    int prepare(sqlite3* with, const char* text) {
        return sqlite3_prepare_v3(with, text, -1, SQLITE_PREPARE_PERSISTENT, &raw_, nullptr);
    }
    [[nodiscard]] sqlite3_stmt* raw() const noexcept { return raw_; }

private:
    sqlite3_stmt* raw_ = nullptr;
};

/// One use of a statement: bind, step, and leave it as it was.
class statement_use {
public:
    explicit statement_use(const sqlite_statement& s) noexcept : raw_(s.raw()) {}
    statement_use(const statement_use&) = delete;
    statement_use& operator=(const statement_use&) = delete;
    ~statement_use() {
        sqlite3_reset(raw_);
        sqlite3_clear_bindings(raw_);
    }
    statement_use& text(std::string_view value) noexcept {
        // An empty view may have no address, and that would be NULL.
        note(sqlite3_bind_text(raw_, ++bound_, value.empty() ? "" : value.data(), static_cast<int>(value.size()),
                               SQLITE_STATIC));
        return *this;
    }
    statement_use& blob(turn::bytes value) noexcept {
        note(sqlite3_bind_blob(raw_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_STATIC));
        return *this;
    }
    statement_use& number(std::int64_t value) noexcept {
        note(sqlite3_bind_int64(raw_, ++bound_, value));
        return *this;
    }
    int step() noexcept { return bad_ != SQLITE_OK ? bad_ : sqlite3_step(raw_); }

    [[nodiscard]] std::int64_t number_at(int column) const noexcept { return sqlite3_column_int64(raw_, column); }
    [[nodiscard]] std::string_view text_at(int column) const noexcept {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw_, column));
        return {text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(raw_, column))};
    }
    /// False: not of this size, which only damage can bring about.
    [[nodiscard]] bool key_at(int column, std::uint8_t size, turn::stun::credential_key& into) const noexcept {
        const void* blob = sqlite3_column_blob(raw_, column);
        const bool good = blob != nullptr && sqlite3_column_bytes(raw_, column) == size;
        if (good) {
            std::memcpy(into.value.data(), blob, size);
            into.size = size;
        }
        return good;
    }

private:
    void note(int code) noexcept {
        if (code != SQLITE_OK) bad_ = code;
    }
    sqlite3_stmt* raw_;
    int bound_ = 0;
    int bad_ = SQLITE_OK;
};

/// For one thread at a time.
class sqlite_connection {
public:
    /// Whatever it was before is closed. `flags` as sqlite3_open_v2() has them; `patience` with other programs' locks.
    std::optional<database_error> open(const std::string& path, int flags, std::chrono::milliseconds patience);
    [[nodiscard]] sqlite3* raw() const noexcept { return raw_.get(); }

    /// What SQLite's result code means here and now.
    [[nodiscard]] database_error error(int code) const;
    /// Returns SQLite's result code.
    [[nodiscard]] int run(const char* text) const noexcept;
    /// The first number that a statement answers with.
    [[nodiscard]] database_result<std::int64_t> number(const char* text) const;
    [[nodiscard]] database_result<std::int64_t> number(const sqlite_statement&) const;
    /// Runs `text` if `question` is answered with 1 while nobody else can write.
    [[nodiscard]] std::optional<database_error> transaction(const char* question, const char* text) const;

private:
    struct closing {
        void operator()(sqlite3* open) const noexcept { sqlite3_close_v2(open); }
    };
    std::unique_ptr<sqlite3, closing> raw_{};
};

} // namespace turnd
