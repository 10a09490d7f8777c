#include "user_database.hpp"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite_connection.hpp"
#include "user_schema.hpp"

namespace turnd {
namespace {

/// What tells one content of a file from another, as far as it is not written by way of the log (WAL).
struct file_mark {
    dev_t device = 0;
    ino_t number = 0;
    off_t size = 0;
    std::int64_t modified = 0; ///< nanoseconds
    bool operator==(const file_mark&) const = default;
};

std::optional<file_mark> mark_of(const std::string& path) noexcept {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return {};
    return file_mark{about.st_dev, about.st_ino, about.st_size,
                     std::int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec};
}

/// An empty file for a new database, which the user that turnd runs as can read although root made it.
std::optional<database_error> make_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (file < 0) return database_error{fault_of_opening(errno), std::generic_category().message(errno)};
    const std::string folder = path.substr(0, path.rfind('/') + 1); // opened paths have a slash
    struct stat about {};
    bool good = ::fchmod(file, 0640) == 0; // whatever the umask
    if (::geteuid() == 0 && ::stat(folder.c_str(), &about) == 0)
        good = ::fchown(file, about.st_uid, about.st_gid) == 0 && good;
    const int error = errno;
    ::close(file);
    if (good) return {};
    return database_error{fault_of_opening(error), std::generic_category().message(error)};
}

} // namespace

struct user_database::state {
    state() = default;
    state(const state&) = delete;
    state& operator=(const state&) = delete;

    std::string path{};
    std::optional<file_mark> mark{};
    sqlite_connection connection{};
    sqlite_statement find{}, find_hash{}, add{}, change{}, remove{}, all{}, in_realm{}, realms{}, generation{},
        removals{}, last_removal{};

    static std::optional<database_error> make(const std::string& path);
    std::optional<database_error> open(access how, options);
    std::optional<database_error> prepare(std::int64_t version);
    [[nodiscard]] database_result<bool> changed_one(statement_use&);
};

/// A new database comes to its place whole: a turnd that waits for it sees none, or a good one.
std::optional<database_error> user_database::state::make(const std::string& path) {
    const std::string unfinished = path + ".new-" + std::to_string(::getpid());
    auto failure = make_file(unfinished);
    if (!failure) {
        state made;
        made.path = unfinished;
        failure = made.open(access::create, {}); // closed at the end: then everything is in the file
    }
    // Another program may have been faster; then that one's is as good.
    if (!failure && ::link(unfinished.c_str(), path.c_str()) != 0 && errno != EEXIST)
        failure = database_error{fault_of_opening(errno), std::generic_category().message(errno)};
    for (const char* ending : {"", "-wal", "-shm"}) ::unlink((unfinished + ending).c_str());
    return failure;
}

std::optional<database_error> user_database::state::open(access how, options o) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0)
        return database_error{fault_of_opening(errno), std::generic_category().message(errno)};
    // A pipe would be waited for when it is opened.
    if (!S_ISREG(about.st_mode)) return database_error{database_fault::foreign, "not a regular file"};
    if (how == access::look_up && about.st_size == 0)
        return database_error{database_fault::damaged, "the file is empty"};
    mark = mark_of(path);

    const int flags = (how == access::look_up ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_EXRESCODE;
    if (auto bad = connection.open(path, flags, o.patience)) return bad;
    const auto version = settle_user_schema(connection, how, o.by_userhash);
    if (!version) return version.error();
    return prepare(*version);
}

/// What will be asked.
std::optional<database_error> user_database::state::prepare(std::int64_t version) {
    std::vector<std::pair<sqlite_statement*, const char*>> statements{
        std::pair{&find, "SELECT md5, sha256 FROM users WHERE realm = ?1 AND name = ?2"},
        std::pair{&change,
                  "UPDATE users SET md5 = ?3, sha256 = ?4, changed = unixepoch() WHERE realm = ?1 AND name = ?2"},
        std::pair{&remove, "DELETE FROM users WHERE realm = ?1 AND name = ?2"},
        std::pair{&all, "SELECT realm, name, changed FROM users ORDER BY realm, name"},
        std::pair{&in_realm, "SELECT realm, name, changed FROM users WHERE realm = ?1 ORDER BY name"},
        std::pair{&realms, "SELECT DISTINCT realm FROM users ORDER BY realm"},
        std::pair{&generation, "PRAGMA data_version"},
        std::pair{&removals, "SELECT id, realm, name FROM removals WHERE id > ?1 ORDER BY id"},
        std::pair{&last_removal, "SELECT coalesce(max(id), 0) FROM removals"},
    };
    if (version >= 2) {
        statements.emplace_back(&find_hash, "SELECT md5, sha256, name FROM users WHERE userhash = ?2 AND realm = ?1");
        statements.emplace_back(&add, "INSERT INTO users (realm, name, md5, sha256, changed, userhash) VALUES (?1, ?2, "
                                      "?3, ?4, unixepoch(), userhash_of(?2, ?1)) ON CONFLICT DO NOTHING");
    }
    for (const auto& [into, text] : statements)
        if (const int code = into->prepare(connection.raw(), text); code != SQLITE_OK) return connection.error(code);
    return {};
}

database_result<bool> user_database::state::changed_one(statement_use& now) {
    if (const int code = now.step(); code != SQLITE_DONE) return connection.error(code);
    const bool changed = sqlite3_changes(connection.raw()) != 0;
    mark = mark_of(path); // our own writing is no surprise
    return changed;
}

user_database::user_database(std::unique_ptr<state> opened) noexcept : state_(std::move(opened)) {}
user_database::~user_database() = default;
user_database::user_database(user_database&&) noexcept = default;
user_database& user_database::operator=(user_database&&) noexcept = default;

database_result<user_database> user_database::open(const std::string& path, access how, options o) {
    auto opened = std::make_unique<state>();
    // ":memory:" and "file:..." are names of files here.
    opened->path = path.starts_with('/') ? path : "./" + path;
    if (how == access::create && ::access(opened->path.c_str(), F_OK) != 0 && errno == ENOENT)
        if (auto bad = state::make(opened->path)) return *std::move(bad);
    if (auto bad = opened->open(how, o)) return *std::move(bad);
    return user_database(std::move(opened));
}

database_result<std::optional<user_keys>> user_database::find(std::string_view realm, std::string_view name) {
    statement_use now(state_->find);
    const int code = now.text(realm).text(name).step();
    if (code == SQLITE_DONE) return std::optional<user_keys>{};
    if (code != SQLITE_ROW) return state_->connection.error(code);
    user_keys keys;
    if (!now.key_at(0, 16, keys.md5) || !now.key_at(1, 32, keys.sha256))
        return database_error{database_fault::damaged, "a key is not of its size"};
    return std::optional(keys);
}

database_result<std::optional<known_user>> user_database::find(std::string_view realm,
                                                               const std::array<std::byte, 32>& userhash) {
    if (state_->find_hash.raw() == nullptr) return std::optional<known_user>{};
    statement_use now(state_->find_hash);
    const int code = now.text(realm).blob(userhash).step();
    if (code == SQLITE_DONE) return std::optional<known_user>{};
    if (code != SQLITE_ROW) return state_->connection.error(code);
    known_user found;
    if (!now.key_at(0, 16, found.keys.md5) || !now.key_at(1, 32, found.keys.sha256))
        return database_error{database_fault::damaged, "a key is not of its size"};
    found.name = now.text_at(2);
    return std::optional(std::move(found));
}

database_result<bool> user_database::add(std::string_view realm, std::string_view name, const user_keys& keys) {
    statement_use now(state_->add);
    return state_->changed_one(now.text(realm).text(name).blob(keys.md5.view()).blob(keys.sha256.view()));
}

database_result<bool> user_database::change_keys(std::string_view realm, std::string_view name, const user_keys& keys) {
    statement_use now(state_->change);
    return state_->changed_one(now.text(realm).text(name).blob(keys.md5.view()).blob(keys.sha256.view()));
}

database_result<bool> user_database::remove(std::string_view realm, std::string_view name) {
    statement_use now(state_->remove);
    return state_->changed_one(now.text(realm).text(name));
}

database_result<std::vector<user_database::user>> user_database::users(std::optional<std::string_view> realm) {
    statement_use now(realm ? state_->in_realm : state_->all);
    if (realm) now.text(*realm);
    std::vector<user> found;
    int code = SQLITE_OK;
    while ((code = now.step()) == SQLITE_ROW)
        found.push_back({std::string(now.text_at(0)), std::string(now.text_at(1)),
                         std::chrono::sys_seconds(std::chrono::seconds(now.number_at(2)))});
    if (code != SQLITE_DONE) return state_->connection.error(code);
    return found;
}

database_result<std::vector<std::string>> user_database::realms() {
    statement_use now(state_->realms);
    std::vector<std::string> found;
    int code = SQLITE_OK;
    while ((code = now.step()) == SQLITE_ROW) found.emplace_back(now.text_at(0));
    if (code != SQLITE_DONE) return state_->connection.error(code);
    return found;
}

database_result<std::int64_t> user_database::generation() {
    return state_->connection.number(state_->generation);
}

database_result<std::vector<user_database::removal>> user_database::removals_after(std::int64_t id) {
    statement_use now(state_->removals);
    now.number(id);
    std::vector<removal> found;
    int code = SQLITE_OK;
    while ((code = now.step()) == SQLITE_ROW)
        found.push_back({now.number_at(0), std::string(now.text_at(1)), std::string(now.text_at(2))});
    if (code != SQLITE_DONE) return state_->connection.error(code);
    return found;
}

database_result<std::int64_t> user_database::last_removal() {
    return state_->connection.number(state_->last_removal);
}

bool user_database::outdated() const noexcept {
    return mark_of(state_->path) != state_->mark;
}

} // namespace turnd
