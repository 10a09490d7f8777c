#pragma once
/// A user database in a folder of its own, and the hands of somebody who spoils it.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include "turnd_room.hpp"
#include "user_database.hpp"

namespace turnd::test {

/// A connection of some other program.
class raw_database {
public:
    explicit raw_database(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &open_) == SQLITE_OK); }
    raw_database(const raw_database&) = delete;
    raw_database& operator=(const raw_database&) = delete;
    ~raw_database() { sqlite3_close(open_); }

    void run(const char* text) {
        INFO(text);
        const int code = sqlite3_exec(open_, text, nullptr, nullptr, nullptr);
        INFO(sqlite3_errmsg(open_));
        REQUIRE(code == SQLITE_OK);
    }

private:
    sqlite3* open_ = nullptr;
};

inline user_keys keys_of(std::string_view name, std::string_view password, std::string_view realm = "example.org") {
    const auto keys = make_user_keys(name, realm, password);
    REQUIRE(keys);
    return *keys;
}

inline user_database open_to_write(const std::string& path) {
    auto opened = user_database::open(path, user_database::access::create, {});
    INFO((opened ? "" : opened.error().detail));
    REQUIRE(opened);
    return *std::move(opened);
}

/// ann and bob of example.org, each with his name and "'s password"; everything is in the file, and it is closed.
inline void make_ann_and_bob(const std::string& path) {
    user_database made = open_to_write(path);
    REQUIRE(made.add("example.org", "ann", keys_of("ann", "ann's password")).value_or(false));
    REQUIRE(made.add("example.org", "bob", keys_of("bob", "bob's password")).value_or(false));
}

inline std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void delete_database(const std::string& path) {
    for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(path + ending);
}

/// Another file takes its place at once, as by mv.
inline void replace_database(const std::string& path, const std::string& by) {
    std::filesystem::rename(by, path);
    for (const char* ending : {"-wal", "-shm"}) std::filesystem::remove(path + ending);
}

/// The same file, other bytes, as by cp. Of the same size from `at` on, or cut off there.
inline void overwrite(const std::string& path, std::size_t at, bool cut_off) {
    const auto size = std::filesystem::file_size(path);
    if (cut_off) std::filesystem::resize_file(path, at);
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    for (std::size_t i = at; i < size; ++i) file.put(static_cast<char>(i * 37 + 11));
}

} // namespace turnd::test
