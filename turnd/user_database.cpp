#include "user_database.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

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
    /// A prepared statement; what it is run with is bound, never pasted.
    class statement {
    public:
        statement() = default;
        statement(const statement&) = delete;
        statement& operator=(const statement&) = delete;
        ~statement() { sqlite3_finalize(raw_); }

        int prepare(sqlite3* with, const char* text) {
            return sqlite3_prepare_v3(with, text, -1, SQLITE_PREPARE_PERSISTENT, &raw_, nullptr);
        }
        [[nodiscard]] sqlite3_stmt* raw() const noexcept { return raw_; }

    private:
        sqlite3_stmt* raw_ = nullptr;
    };

    /// One use of a statement: bind, step, and leave it as it was.
    class use {
    public:
        explicit use(const statement& s) noexcept : raw_(s.raw()) {}
        use(const use&) = delete;
        use& operator=(const use&) = delete;
        ~use() {
            sqlite3_reset(raw_);
            sqlite3_clear_bindings(raw_);
        }
        use& text(std::string_view value) noexcept {
            // An empty view may have no address, and that would be NULL.
            note(sqlite3_bind_text(raw_, ++bound_, value.empty() ? "" : value.data(), static_cast<int>(value.size()),
                                   SQLITE_STATIC));
            return *this;
        }
        use& blob(turn::bytes value) noexcept {
            note(sqlite3_bind_blob(raw_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_STATIC));
            return *this;
        }
        use& number(std::int64_t value) noexcept {
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

    state() = default;
    state(const state&) = delete;
    state& operator=(const state&) = delete;

    std::string path{};
    std::optional<file_mark> mark{};
    struct closing {
        void operator()(sqlite3* open) const noexcept { sqlite3_close_v2(open); }
    };
    std::unique_ptr<sqlite3, closing> connection{};
    statement find{}, find_hash{}, add{}, change{}, remove{}, all{}, in_realm{}, realms{}, generation{}, removals{},
        last_removal{};

    [[nodiscard]] database_error error(int code) const {
        const int system_error = connection ? sqlite3_system_errno(connection.get()) : 0;
        return {fault_of(code, system_error), connection ? sqlite3_errmsg(connection.get()) : sqlite3_errstr(code)};
    }
    [[nodiscard]] int run(const char* text) const noexcept {
        return sqlite3_exec(connection.get(), text, nullptr, nullptr, nullptr);
    }

    static std::optional<database_error> make(const std::string& path);
    std::optional<database_error> open(access how, options);
    std::optional<database_error> settle(access how, bool by_userhash);
    std::optional<database_error> make_schema();
    std::optional<database_error> bring_up_to_date();
    std::optional<database_error> prepare(std::int64_t version);
    std::optional<database_error> transaction(const char* question, const char* text);
    [[nodiscard]] database_result<std::int64_t> pragma(const char* text) const;
    [[nodiscard]] database_result<bool> changed_one(use&);
    [[nodiscard]] database_result<std::int64_t> number(const statement&) const;
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
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
    connection.reset(opened); // also when it failed
    if (code != SQLITE_OK) return error(code);
    sqlite3_busy_timeout(opened, static_cast<int>(o.patience.count()));
    return settle(how, o.by_userhash);
}

/// Makes sure that it is a database of ours, and prepares what will be asked.
std::optional<database_error> user_database::state::settle(access how, bool by_userhash) {
    sqlite3* const open = connection.get();
    sqlite3_db_config(open, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(open, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    // Pages are checked when they are read. They are read, not mapped: a mapping of a file that shrinks is a signal.
    if (const int code = sqlite3_create_function_v2(open, "userhash_of", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr,
                                                    userhash_of, nullptr, nullptr, nullptr);
        code != SQLITE_OK)
        return error(code);
    for (const char* setting : {"PRAGMA cell_size_check = ON", "PRAGMA mmap_size = 0"})
        if (const int code = run(setting); code != SQLITE_OK) return error(code);
    if (how != access::look_up) {
        // A removed key is overwritten, not just forgotten.
        if (const int code = run("PRAGMA secure_delete = ON"); code != SQLITE_OK) return error(code);
        if (how == access::create)
            if (auto bad = make_schema()) return bad;
    }
    const auto application = pragma("PRAGMA application_id");
    if (!application) return application.error();
    if (*application != application_id) return database_error{database_fault::foreign, "not a database of turnd's"};
    if (how != access::look_up)
        if (auto bad = bring_up_to_date()) return bad;
    const auto version = pragma("PRAGMA user_version");
    if (!version) return version.error();
    if (*version < 1 || *version > schema_version)
        return database_error{database_fault::foreign, "made by another version of turnctl"};
    if (*version < schema_version && by_userhash)
        return database_error{database_fault::outdated, "no hashes of names in it"};
    return prepare(*version);
}

std::optional<database_error> user_database::state::prepare(std::int64_t version) {
    std::vector<std::pair<statement*, const char*>> statements{
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
        if (const int code = into->prepare(connection.get(), text); code != SQLITE_OK) return error(code);
    return {};
}

/// In a file without anything in it. Several programs may try at once.
std::optional<database_error> user_database::state::make_schema() {
    // A file of another program's keeps its journal as it is.
    const auto pages = pragma("PRAGMA page_count");
    if (!pages) return pages.error();
    if (*pages == 0)
        if (const int code = run("PRAGMA journal_mode = WAL"); code != SQLITE_OK) return error(code);
    return transaction("SELECT (SELECT application_id FROM pragma_application_id) = 0 AND "
                       "(SELECT count(*) FROM sqlite_schema) = 0",
                       schema);
}

/// Several programs may try at once.
std::optional<database_error> user_database::state::bring_up_to_date() {
    const char* const is_old = "SELECT user_version = 1 FROM pragma_user_version";
    const auto old = pragma(is_old);
    if (!old) return old.error();
    if (*old == 0) return {};
    return transaction(is_old, upgrade);
}

/// Runs `text` if `question` is answered with 1 while nobody else can write.
std::optional<database_error> user_database::state::transaction(const char* question, const char* text) {
    if (const int code = run("BEGIN IMMEDIATE"); code != SQLITE_OK) return error(code);
    const auto wanted = pragma(question);
    int code = SQLITE_OK;
    if (wanted && *wanted == 1) code = run(text);
    if (code == SQLITE_OK) code = run("COMMIT");
    if (code == SQLITE_OK) return {};
    auto failed = error(code);
    (void)run("ROLLBACK");
    return failed;
}

database_result<std::int64_t> user_database::state::pragma(const char* text) const {
    statement asked;
    if (const int code = asked.prepare(connection.get(), text); code != SQLITE_OK) return error(code);
    return number(asked);
}

database_result<std::int64_t> user_database::state::number(const statement& asked) const {
    use now(asked);
    if (const int code = now.step(); code != SQLITE_ROW) return error(code);
    return now.number_at(0);
}

database_result<bool> user_database::state::changed_one(use& now) {
    if (const int code = now.step(); code != SQLITE_DONE) return error(code);
    const bool changed = sqlite3_changes(connection.get()) != 0;
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
    state::use now(state_->find);
    const int code = now.text(realm).text(name).step();
    if (code == SQLITE_DONE) return std::optional<user_keys>{};
    if (code != SQLITE_ROW) return state_->error(code);
    user_keys keys;
    if (!now.key_at(0, 16, keys.md5) || !now.key_at(1, 32, keys.sha256))
        return database_error{database_fault::damaged, "a key is not of its size"};
    return std::optional(keys);
}

database_result<std::optional<known_user>> user_database::find(std::string_view realm,
                                                               const std::array<std::byte, 32>& userhash) {
    if (state_->find_hash.raw() == nullptr) return std::optional<known_user>{};
    state::use now(state_->find_hash);
    const int code = now.text(realm).blob(userhash).step();
    if (code == SQLITE_DONE) return std::optional<known_user>{};
    if (code != SQLITE_ROW) return state_->error(code);
    known_user found;
    if (!now.key_at(0, 16, found.keys.md5) || !now.key_at(1, 32, found.keys.sha256))
        return database_error{database_fault::damaged, "a key is not of its size"};
    found.name = now.text_at(2);
    return std::optional(std::move(found));
}

database_result<bool> user_database::add(std::string_view realm, std::string_view name, const user_keys& keys) {
    state::use now(state_->add);
    return state_->changed_one(now.text(realm).text(name).blob(keys.md5.view()).blob(keys.sha256.view()));
}

database_result<bool> user_database::change_keys(std::string_view realm, std::string_view name, const user_keys& keys) {
    state::use now(state_->change);
    return state_->changed_one(now.text(realm).text(name).blob(keys.md5.view()).blob(keys.sha256.view()));
}

database_result<bool> user_database::remove(std::string_view realm, std::string_view name) {
    state::use now(state_->remove);
    return state_->changed_one(now.text(realm).text(name));
}

database_result<std::vector<user_database::user>> user_database::users(std::optional<std::string_view> realm) {
    state::use now(realm ? state_->in_realm : state_->all);
    if (realm) now.text(*realm);
    std::vector<user> found;
    int code = SQLITE_OK;
    while ((code = now.step()) == SQLITE_ROW)
        found.push_back({std::string(now.text_at(0)), std::string(now.text_at(1)),
                         std::chrono::sys_seconds(std::chrono::seconds(now.number_at(2)))});
    if (code != SQLITE_DONE) return state_->error(code);
    return found;
}

database_result<std::vector<std::string>> user_database::realms() {
    state::use now(state_->realms);
    std::vector<std::string> found;
    int code = SQLITE_OK;
    while ((code = now.step()) == SQLITE_ROW) found.emplace_back(now.text_at(0));
    if (code != SQLITE_DONE) return state_->error(code);
    return found;
}

database_result<std::int64_t> user_database::generation() {
    return state_->number(state_->generation);
}

database_result<std::vector<user_database::removal>> user_database::removals_after(std::int64_t id) {
    state::use now(state_->removals);
    now.number(id);
    std::vector<removal> found;
    int code = SQLITE_OK;
    while ((code = now.step()) == SQLITE_ROW)
        found.push_back({now.number_at(0), std::string(now.text_at(1)), std::string(now.text_at(2))});
    if (code != SQLITE_DONE) return state_->error(code);
    return found;
}

database_result<std::int64_t> user_database::last_removal() {
    return state_->number(state_->last_removal);
}

bool user_database::outdated() const noexcept {
    return mark_of(state_->path) != state_->mark;
}

std::string_view name_of(database_fault fault) noexcept {
    switch (fault) {
    case database_fault::missing:
        return "missing";
    case database_fault::locked:
        return "locked";
    case database_fault::damaged:
        return "damaged";
    case database_fault::foreign:
        return "foreign";
    case database_fault::outdated:
        return "outdated";
    case database_fault::full:
        return "full";
    case database_fault::not_permitted:
        return "not-permitted";
    case database_fault::out_of_memory:
        return "out-of-memory";
    case database_fault::broken_io:
        return "broken-io";
    }
    return "unknown";
}

complaint explain(const database_error& error) {
    const auto with_detail = [&](std::string_view what) { return std::string(what) + " (" + error.detail + ")"; };
    switch (error.why) {
    case database_fault::missing:
        return {"there is no such file", "`turnctl user add` makes it, or correct the path"};
    case database_fault::locked:
        return {with_detail("another program keeps the database locked"), "end that program, or wait for it"};
    case database_fault::damaged:
        return {with_detail("the database is damaged"),
                "put a backup in its place, without the files beside it that end in -wal and -shm, or delete all "
                "three and add the users again"};
    case database_fault::foreign:
        return {with_detail("this is no database of users that this version knows"),
                "name another file, or use the turnctl of the same version as turnd"};
    case database_fault::outdated:
        return {with_detail("the database was made by an earlier version"),
                "any change by `turnctl user` brings it up to date; or turn username-anonymity off"};
    case database_fault::full:
        return {with_detail("the file system of the database is full"), "make room"};
    case database_fault::not_permitted:
        return {with_detail("the database may not be used"),
                "let turnd's user read the file and write in its directory, where the database keeps -wal and -shm"};
    case database_fault::out_of_memory:
        return {"there was no memory for it", "add memory"};
    case database_fault::broken_io:
        return {with_detail("the file system failed"), "look at the kernel's log"};
    }
    return {};
}

} // namespace turnd
