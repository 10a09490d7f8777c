#include <array>

#include <sys/stat.h>

#include "turnd_user_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;
using purpose = user_database::access;

namespace {

bool same(const std::optional<user_keys>& a, const user_keys& b) {
    const auto equal = [](const auto& x, const auto& y) { return x.size == y.size && x.value == y.value; };
    return a && equal(a->md5, b.md5) && equal(a->sha256, b.sha256);
}

std::optional<user_keys> found(user_database& in, std::string_view name, std::string_view realm = "example.org") {
    const auto keys = in.find(realm, name);
    REQUIRE(keys);
    return *keys;
}

std::optional<database_fault> fault_of(const std::string& path, purpose how = purpose::look_up) {
    const auto opened = user_database::open(path, how, {.patience = 1ms});
    if (opened) return {};
    CHECK(!opened.error().detail.empty());
    CHECK(!explain(opened.error()).what.empty());
    CHECK(!explain(opened.error()).remedy.empty());
    return opened.error().why;
}

mode_t mode_of(const std::string& path) {
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 07777;
}

} // namespace

TEST_CASE("user database: a user has keys in each realm, until they are changed or he is removed") {
    const room place;
    user_database users = open_to_write(place.path("users.db"));
    const user_keys first = keys_of("ann", "first");
    const user_keys elsewhere = keys_of("ann", "other", "b.example");
    REQUIRE(users.add("example.org", "ann", first).value_or(false));
    REQUIRE(users.add("b.example", "ann", elsewhere).value_or(false));
    CHECK(same(found(users, "ann"), first));
    CHECK(same(found(users, "ann", "b.example"), elsewhere));
    CHECK(!found(users, "Ann"));
    CHECK(!found(users, "bob"));
    CHECK(!found(users, "ann", "c.example"));

    const user_keys second = keys_of("ann", "second");
    CHECK(!users.add("example.org", "ann", second).value_or(true)); // he is there
    CHECK(same(found(users, "ann"), first));
    CHECK(users.change_keys("example.org", "ann", second).value_or(false));
    CHECK(same(found(users, "ann"), second));
    CHECK(same(found(users, "ann", "b.example"), elsewhere));
    CHECK(!users.change_keys("example.org", "bob", second).value_or(true)); // he is not

    CHECK(users.remove("example.org", "ann").value_or(false));
    CHECK(!users.remove("example.org", "ann").value_or(true));
    CHECK(!found(users, "ann"));
    CHECK(same(found(users, "ann", "b.example"), elsewhere));
}

TEST_CASE("RFC 8489 9.2.2: what is kept is MD5 and SHA-256 of name, realm and password, and not the password") {
    const room place;
    const std::string path = place.path("users.db");
    {
        user_database users = open_to_write(path);
        REQUIRE(users.add("example.org", "ann", keys_of("ann", "a password like no other")).value_or(false));
        const auto keys = found(users, "ann");
        REQUIRE(keys);
        const auto md5 = turn::stun::long_term_key("ann", "example.org", "a password like no other");
        const auto sha256 = turn::stun::long_term_key_sha256("ann", "example.org", "a password like no other");
        CHECK(keys->md5.value == md5->value);
        CHECK(keys->sha256.value == sha256->value);
    }
    const std::string bytes = text_of(path);
    CHECK(contains(bytes, "example.org"));
    CHECK(!contains(bytes, "like no other"));
}

TEST_CASE("user database: a removed key is nowhere in the file") {
    const room place;
    const std::string path = place.path("users.db");
    const user_keys keys = keys_of("ann", "secret");
    const std::string key(reinterpret_cast<const char*>(keys.sha256.value.data()), 32);
    const auto holds_key = [&] { return contains(text_of(path), key); };
    REQUIRE(open_to_write(path).add("example.org", "ann", keys).value_or(false));
    REQUIRE(holds_key());
    REQUIRE(open_to_write(path).remove("example.org", "ann").value_or(false));
    CHECK(!holds_key());
    CHECK(!std::filesystem::exists(path + "-wal")); // which would hold it
}

TEST_CASE("user database: users are listed by realm and name") {
    const room place;
    user_database users = open_to_write(place.path("users.db"));
    const auto before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    for (const char* name : {"cid", "ann", "bob"})
        REQUIRE(users.add(name == std::string("bob") ? "a.example" : "b.example", name, keys_of(name, "x")));
    const auto all = users.users();
    REQUIRE(all);
    REQUIRE(all->size() == 3);
    CHECK((*all)[0].name == "bob");
    CHECK((*all)[1].name == "ann");
    CHECK((*all)[2].name == "cid");
    CHECK((*all)[2].realm == "b.example");
    CHECK((*all)[2].changed >= before);
    CHECK(users.users("a.example")->size() == 1);
    CHECK(users.users("c.example")->empty());
    CHECK(*users.realms() == std::vector<std::string>{"a.example", "b.example"});
}

TEST_CASE("user database: names and realms are bytes to it, whatever they look like") {
    const room place;
    user_database users = open_to_write(place.path("users.db"));
    const std::vector<std::string> texts{
        "'; DROP TABLE users; --",
        "\" OR \"1\"=\"1",
        "%s%n%p",
        "<script>alert(1)</script>",
        "ann\\",
        "ann\n",
        "ann",
        "ANN",
        "a_n",
        "a%",
        std::string("ann\0junk", 8),
        std::string("\0", 1),
        "Andr\xe9", // not UTF-8
        "\xff\xfe",
        std::string(512, 'x'),
        std::string(513, 'x'),
        std::string(100'000, 'x'),
        "",
        "?1",
    };
    std::uint8_t mark = 0;
    for (const std::string& text : texts) {
        user_keys keys = keys_of("x", "y");
        keys.md5.value[0] = std::byte{++mark};
        REQUIRE(users.add(text, text, keys).value_or(false));
    }
    mark = 0;
    for (const std::string& text : texts) {
        CAPTURE(text);
        const auto keys = found(users, text, text);
        REQUIRE(keys);
        CHECK(keys->md5.value[0] == std::byte{++mark});
        CHECK(users.users(text)->size() == 1);
        CHECK(users.users(text)->front().name == text);
    }
    CHECK(users.users()->size() == texts.size());
    for (const std::string& text : texts) CHECK(users.remove(text, text).value_or(false));
    CHECK(users.users()->empty());
    CHECK(users.removals_after(0)->size() == texts.size());
}

TEST_CASE("user database: the file is for its owner and group alone") {
    const room place;
    const std::string path = place.path("users.db");
    const mode_t before = ::umask(0);
    user_database users = open_to_write(path);
    ::umask(before);
    REQUIRE(users.add("example.org", "ann", keys_of("ann", "x")));
    CHECK(std::distance(std::filesystem::directory_iterator(place.path("")), {}) == 3); // nothing but it, -wal and -shm
    CHECK(mode_of(path) == 0640);
    CHECK(mode_of(path + "-wal") == 0640); // keys pass through it
    CHECK(open_to_write(path).users()->size() == 1);
    ::chmod(path.c_str(), 0600);
    CHECK(open_to_write(path).users()->size() == 1);
    CHECK(mode_of(path) == 0600); // an operator's choice stays
}

TEST_CASE("user database: names that mean something to SQLite are files here") {
    const room place;
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(place.path(""));
    for (const char* name : {":memory:", "file:users.db?mode=memory", "users.db"}) {
        CAPTURE(name);
        REQUIRE(open_to_write(name).add("example.org", "ann", keys_of("ann", "x")).value_or(false));
        CHECK(std::filesystem::exists(place.path(name)));
        CHECK(open_to_write(name).users()->size() == 1);
    }
    std::filesystem::current_path(before);
}

TEST_CASE("user database: what keeps it from being opened has a name") {
    const room place;
    const std::string path = place.path("users.db");
    CHECK(fault_of(path) == database_fault::missing);
    CHECK(fault_of(path, purpose::change) == database_fault::missing);
    CHECK(!std::filesystem::exists(path));
    CHECK(fault_of(place.path("no/such/folder/users.db"), purpose::create) == database_fault::missing);
    CHECK(fault_of(place.path("")) == database_fault::foreign); // a folder
    CHECK(fault_of("/dev/null", purpose::create) == database_fault::foreign);
    REQUIRE(::mkfifo(place.path("pipe").c_str(), 0600) == 0);
    CHECK(fault_of(place.path("pipe")) == database_fault::foreign); // and nobody waits for its other end

    CHECK(fault_of(place.file("empty", "")) == database_fault::damaged);
    CHECK(fault_of(place.file("text", "these are notes of mine, and more than a header's worth of bytes: " +
                                          std::string(100, '.'))) == database_fault::damaged);
    CHECK(fault_of(place.path("text"), purpose::create) == database_fault::damaged);
    CHECK(contains(text_of(place.path("text")), "notes of mine"));
    CHECK(!fault_of(place.path("empty"), purpose::create)); // as mktemp leaves it
    CHECK(!fault_of(place.path("empty")));

    make_ann_and_bob(path);
    CHECK(!fault_of(path));
    raw_database(path).run("PRAGMA user_version = 3");
    CHECK(fault_of(path) == database_fault::foreign);
    CHECK(fault_of(path, purpose::create) == database_fault::foreign);
    raw_database(path).run("PRAGMA user_version = 1; DROP TABLE users");
    CHECK(fault_of(path) == database_fault::foreign);
    raw_database(place.path("other.db")).run("CREATE TABLE songs (title TEXT)");
    CHECK(fault_of(place.path("other.db"), purpose::create) == database_fault::foreign);
    raw_database(place.path("other.db")).run("INSERT INTO songs VALUES ('still there')");
}

namespace {

/// What turnctl made before there was USERHASH.
void make_version_1(const std::string& path) {
    raw_database made(path);
    made.run("PRAGMA journal_mode = WAL;"
             "CREATE TABLE users (realm TEXT NOT NULL, name TEXT NOT NULL, md5 BLOB NOT NULL CHECK (length(md5) = 16),"
             " sha256 BLOB NOT NULL CHECK (length(sha256) = 32), changed INTEGER NOT NULL, PRIMARY KEY (realm, name))"
             " STRICT, WITHOUT ROWID;"
             "CREATE TABLE removals (id INTEGER PRIMARY KEY AUTOINCREMENT, realm TEXT NOT NULL, name TEXT NOT NULL)"
             " STRICT;"
             "CREATE TRIGGER user_removed AFTER DELETE ON users BEGIN"
             " INSERT INTO removals (realm, name) VALUES (old.realm, old.name);"
             " DELETE FROM removals WHERE id <= (SELECT max(id) FROM removals) - 100000; END;"
             "PRAGMA application_id = 0x7475726e; PRAGMA user_version = 1;"
             "INSERT INTO users VALUES ('example.org', 'ann', zeroblob(16), zeroblob(32), 1),"
             " ('example.org', 'jürgen', zeroblob(16), zeroblob(32), 2);");
}

std::array<std::byte, 32> userhash_of(std::string_view name, std::string_view realm = "example.org") {
    return *turn::stun::hash_username(name, realm);
}

std::string found_by_hash(user_database& in, const std::array<std::byte, 32>& hash,
                          std::string_view realm = "example.org") {
    const auto user = in.find(realm, hash);
    REQUIRE(user);
    return *user ? (*user)->name : "nobody";
}

} // namespace

TEST_CASE("user database: a user is found by the hash of his name in his realm and nowhere else") {
    const room place;
    user_database users = open_to_write(place.path("users.db"));
    const user_keys keys = keys_of("ann", "first");
    REQUIRE(users.add("example.org", "ann", keys).value_or(false));
    REQUIRE(users.add("b.example", "ann", keys_of("ann", "other", "b.example")).value_or(false));
    const auto ann = users.find("example.org", userhash_of("ann"));
    REQUIRE(ann);
    REQUIRE(*ann);
    CHECK((*ann)->name == "ann");
    CHECK((*ann)->keys.md5.value == keys.md5.value);
    CHECK((*ann)->keys.sha256.value == keys.sha256.value);
    CHECK(found_by_hash(users, userhash_of("ann"), "b.example") == "nobody");
    CHECK(found_by_hash(users, userhash_of("ann", "b.example"), "b.example") == "ann");
    CHECK(found_by_hash(users, userhash_of("bob")) == "nobody");
    REQUIRE(users.remove("example.org", "ann").value_or(false));
    CHECK(found_by_hash(users, userhash_of("ann")) == "nobody");
}

TEST_CASE("user database: one of an earlier version serves names as ever and is outdated where hashes are wanted") {
    const room place;
    const std::string path = place.path("users.db");
    make_version_1(path);
    auto users = user_database::open(path, purpose::look_up, {});
    REQUIRE(users);
    CHECK(found(*users, "ann"));
    CHECK(found_by_hash(*users, userhash_of("ann")) == "nobody");
    const auto wanting = user_database::open(path, purpose::look_up, {.by_userhash = true});
    REQUIRE(!wanting);
    CHECK(wanting.error().why == database_fault::outdated);
    CHECK(name_of(wanting.error().why) == "outdated");
    CHECK(contains(explain(wanting.error()).remedy, "turnctl user"));
}

TEST_CASE("user database: whoever changes one of an earlier version brings it up to date with everybody in it") {
    const room place;
    const std::string path = place.path("users.db");
    make_version_1(path);
    auto reading = user_database::open(path, purpose::look_up, {}); // and goes on doing so
    REQUIRE(reading);
    {
        auto writing = user_database::open(path, purpose::change, {});
        REQUIRE(writing);
        CHECK(writing->add("example.org", "bob", keys_of("bob", "his")).value_or(false));
    }
    CHECK(found(*reading, "bob"));
    auto users = user_database::open(path, purpose::look_up, {.by_userhash = true});
    REQUIRE(users);
    for (const std::string name : {"ann", "bob", "jürgen"}) CHECK(found_by_hash(*users, userhash_of(name)) == name);
    CHECK(!fault_of(path, purpose::create)); // once is enough
    auto removing = user_database::open(path, purpose::change, {});
    REQUIRE(removing);
    CHECK(removing->remove("example.org", "ann").value_or(false));
    CHECK(removing->last_removal().value_or(0) == 1);
}

TEST_CASE("user database: another program's lock is waited for, and then it is a fault") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    auto other = std::make_unique<raw_database>(path);
    other->run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    CHECK(fault_of(path) == database_fault::locked);
    CHECK(fault_of(path, purpose::create) == database_fault::locked);
    other.reset();
    CHECK(!fault_of(path));
}

TEST_CASE("user database: a reader is not kept waiting by a writer") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    raw_database other(path);
    other.run("BEGIN EXCLUSIVE; DELETE FROM users WHERE name = 'bob'");
    auto reader = user_database::open(path, purpose::look_up, {.patience = 1ms});
    REQUIRE(reader);
    CHECK(found(*reader, "bob")); // not committed yet
    other.run("COMMIT");
    CHECK(!found(*reader, "bob"));
    CHECK(found(*reader, "ann"));
}

TEST_CASE("user database: who looks up cannot write") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    auto reader = user_database::open(path, purpose::look_up, {});
    REQUIRE(reader);
    const auto removed = reader->remove("example.org", "ann");
    REQUIRE(!removed);
    CHECK(removed.error().why == database_fault::not_permitted);
    CHECK(found(*reader, "ann"));
}

TEST_CASE("user database: damage within the file is found when it is met") {
    const room place;
    const std::string path = place.path("users.db");
    {
        user_database users = open_to_write(path);
        for (int i = 0; i < 300; ++i)
            REQUIRE(users.add("example.org", "user" + std::to_string(i), keys_of("x", "y")).value_or(false));
    }
    overwrite(path, 4096, false); // the first page stays
    auto reader = user_database::open(path, purpose::look_up, {});
    REQUIRE(reader);
    const auto keys = reader->find("example.org", "user7");
    REQUIRE(!keys);
    CHECK(keys.error().why == database_fault::damaged);
}

TEST_CASE("user database: a key of another size is damage, not a user") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    raw_database(path).run("PRAGMA ignore_check_constraints = ON; UPDATE users SET md5 = x'00' WHERE name = 'ann'");
    auto reader = user_database::open(path, purpose::look_up, {});
    REQUIRE(reader);
    const auto keys = reader->find("example.org", "ann");
    REQUIRE(!keys);
    CHECK(keys.error().why == database_fault::damaged);
    CHECK(found(*reader, "bob"));
}

TEST_CASE("user database: a connection knows when its file is another one") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    make_ann_and_bob(place.path("next.db"));
    const auto reader = [&] {
        auto opened = user_database::open(path, purpose::look_up, {});
        REQUIRE(opened);
        return *std::move(opened);
    };
    {
        const user_database first = reader();
        CHECK(!first.outdated());
        replace_database(path, place.path("next.db"));
        CHECK(first.outdated());
    }
    {
        const user_database second = reader();
        CHECK(!second.outdated());
        overwrite(path, 4096, false);
        CHECK(second.outdated());
    }
    {
        const user_database third = reader();
        delete_database(path);
        CHECK(third.outdated());
    }
}

TEST_CASE("user database: removals are told in their order, whoever removes") {
    const room place;
    const std::string path = place.path("users.db");
    make_ann_and_bob(path);
    auto reader = user_database::open(path, purpose::look_up, {});
    REQUIRE(reader);
    const auto before = reader->generation();
    REQUIRE(before);
    CHECK(*reader->generation() == *before);
    CHECK(*reader->last_removal() == 0);

    REQUIRE(open_to_write(path).remove("example.org", "bob").value_or(false));
    CHECK(*reader->generation() != *before);
    raw_database(path).run("DELETE FROM users");
    const auto removals = reader->removals_after(0);
    REQUIRE(removals);
    REQUIRE(removals->size() == 2);
    CHECK((*removals)[0].name == "bob");
    CHECK((*removals)[1].name == "ann");
    CHECK((*removals)[1].realm == "example.org");
    CHECK(*reader->last_removal() == (*removals)[1].id);
    CHECK(reader->removals_after((*removals)[0].id)->size() == 1);
}
