#include <algorithm>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "turnctl/password.hpp"
#include "turnctl_console.hpp"
#include "turnd_user_room.hpp"

using turnctl::test::said;
using turnctl::test::told;
using turnd::test::contains;
using turnd::test::keys_of;
using turnd::test::open_to_write;
using turnd::test::room;

namespace {

/// turnctl user VERB --database DATABASE WORDS..., the password coming by standard input.
said user(const std::string& database, const std::string& verb, std::vector<std::string> words,
          const std::string& input = {}) {
    std::vector<std::string> all{"user", verb, "--database", database};
    if (verb == "add" || verb == "passwd") all.emplace_back("--password-stdin");
    all.insert(all.end(), words.begin(), words.end());
    return told(all, input);
}

bool has_password(const std::string& database, std::string_view name, std::string_view password,
                  std::string_view realm = "example.org") {
    auto users = turnd::user_database::open(database, turnd::user_database::access::look_up, {});
    REQUIRE(users);
    const auto keys = users->find(realm, name);
    REQUIRE(keys);
    return *keys && (*keys)->md5.value == keys_of(name, password, realm).md5.value &&
           (*keys)->sha256.value == keys_of(name, password, realm).sha256.value;
}

} // namespace

TEST_CASE("turnctl user: a user is added, given another password, listed and removed") {
    const room place;
    const std::string db = place.path("users.db");
    const said added = user(db, "add", {"--realm", "example.org", "ann"}, "blue horizon\n");
    CHECK(added.status == turnctl::exit_good);
    CHECK(added.out == "added ann of example.org (" + db + ")\n");
    CHECK(added.err.empty());
    CHECK(has_password(db, "ann", "blue horizon"));

    CHECK(user(db, "passwd", {"ann"}, "red sky").out == "changed ann of example.org (" + db + ")\n");
    CHECK(has_password(db, "ann", "red sky"));

    const auto list = nlohmann::json::parse(user(db, "list", {"--json"}).out);
    CHECK(list.at("database") == db);
    REQUIRE(list.at("users").size() == 1);
    CHECK(list.at("users")[0].at("name") == "ann");
    CHECK(list.at("users")[0].at("realm") == "example.org");
    CHECK(list.at("users")[0].at("changed").get<std::string>().size() == std::string("2026-01-01T00:00:00Z").size());
    CHECK(contains(user(db, "list", {}).out, "Z  example.org  ann\n"));

    const auto removed = nlohmann::json::parse(user(db, "remove", {"ann", "--json"}).out);
    CHECK(removed.at("result") == "removed");
    CHECK(removed.at("name") == "ann");
    CHECK(removed.at("realm") == "example.org");
    CHECK(user(db, "list", {}).out == "no users\n");
}

TEST_CASE("turnctl user: what is not done changes nothing, and says what to do") {
    const room place;
    const std::string db = place.path("users.db");
    CHECK(user(db, "list", {}).status == turnctl::exit_critical);
    CHECK(contains(user(db, "list", {}).err, "there is no such file; `turnctl user add` makes it"));
    CHECK(user(db, "remove", {"ann", "--realm", "r"}).status == turnctl::exit_critical);
    CHECK(!std::filesystem::exists(db));
    const said homeless = user(place.path("no/users.db"), "add", {"ann", "--realm", "r"}, "secret");
    CHECK(homeless.status == turnctl::exit_critical);
    CHECK(contains(homeless.err, "its directory does not exist; create it, or name another file by --database"));

    REQUIRE(user(db, "add", {"ann", "--realm", "example.org"}, "first").status == turnctl::exit_good);
    const said twice = user(db, "add", {"ann"}, "second");
    CHECK(twice.status == turnctl::exit_critical);
    CHECK(contains(twice.err, "ann of example.org: there is such a user already; `turnctl user passwd`"));
    CHECK(twice.out.empty());
    CHECK(has_password(db, "ann", "first"));
    for (const char* verb : {"passwd", "remove"}) {
        const said nobody = user(db, verb, {"bob"}, "x");
        CHECK(nobody.status == turnctl::exit_critical);
        CHECK(contains(nobody.err, "bob of example.org: there is no such user"));
    }
    CHECK(contains(user(place.file("notes", std::string(200, '.')), "add", {"ann", "--realm", "r"}, "x").err,
                   "the database is damaged"));
}

TEST_CASE("turnctl user: the realm may be left out when there is one") {
    const room place;
    const std::string db = place.path("users.db");
    const said nowhere = user(db, "add", {"ann"}, "secret");
    CHECK(nowhere.status == turnctl::exit_usage);
    CHECK(contains(nowhere.err, "--realm: there is no user yet whose realm could be meant; name one"));
    REQUIRE(user(db, "add", {"ann", "--realm", "a.example"}, "secret").status == turnctl::exit_good);
    CHECK(user(db, "add", {"bob"}, "secret").status == turnctl::exit_good);
    CHECK(has_password(db, "bob", "secret", "a.example"));
    REQUIRE(user(db, "add", {"ann", "--realm", "b.example"}, "other").status == turnctl::exit_good);
    CHECK(contains(user(db, "remove", {"ann"}).err, "--realm: there are 2 realms; name one"));
    CHECK(has_password(db, "ann", "secret", "a.example"));
    CHECK(has_password(db, "ann", "other", "b.example"));
    CHECK(!contains(user(db, "list", {"--realm", "a.example"}).out, "b.example"));
}

TEST_CASE("turnctl user: names that look like something else are names") {
    const room place;
    const std::string db = place.path("users.db");
    std::vector<std::string> names{"'; DROP TABLE users; --",
                                   "\" OR \"\"=\"",
                                   "%s%n%p",
                                   "<script>alert(1)</script>",
                                   "back\\slash",
                                   "[ann,bob]",
                                   "{ann}",
                                   "name=value",
                                   "list",
                                   "add",
                                   "#ann",
                                   "a b",
                                   "Andr\u00e9",
                                   std::string(508, 'x')};
    for (const std::string& name : names) {
        CAPTURE(name);
        const said added = user(db, "add", {"--realm", "example.org", name}, "secret");
        CHECK(added.err == "");
        CHECK(added.status == turnctl::exit_good);
        CHECK(has_password(db, name, "secret"));
    }
    CHECK(user(db, "add", {"--realm", "example.org", "--", "--json"}, "secret").status == turnctl::exit_good);
    CHECK(has_password(db, "--json", "secret"));
    names.emplace_back("--json");
    std::sort(names.begin(), names.end());
    const auto list = nlohmann::json::parse(user(db, "list", {"--json"}).out);
    REQUIRE(list.at("users").size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i) CHECK(list.at("users")[i].at("name") == names[i]);
    for (const std::string& name : {names.front(), names.back()})
        CHECK(user(db, "remove", {"--", name}).status == turnctl::exit_good);
    CHECK(nlohmann::json::parse(user(db, "list", {"--json"}).out).at("users").size() == names.size() - 2);
}

TEST_CASE("RFC 8265 4.2: turnctl keeps names and realms in one form, so they are one user") {
    const room place;
    const std::string db = place.path("users.db");
    REQUIRE(user(db, "add", {"--realm", "example.org", "Andre\u0301"}, "secret").status == turnctl::exit_good);
    CHECK(has_password(db, "Andr\u00e9", "secret"));
    CHECK(user(db, "add", {"Andr\u00e9"}, "secret").status == turnctl::exit_critical); // the same one
    CHECK(user(db, "remove", {"Andre\u0301"}).status == turnctl::exit_good);
}

TEST_CASE("turnctl user: names and realms that nobody can have are refused before anything is touched") {
    const room place;
    const std::string db = place.path("users.db");
    for (const std::string& bad : {std::string(""), std::string("ann\n"), std::string("\x1b[31m"), std::string("\x7f"),
                                   std::string("Andr\xe9"), std::string("\xff\xfe"), std::string("\xed\xa0\x80"),
                                   std::string("ann\0junk", 8), std::string(512, 'x'), std::string(513, 'x')}) {
        CAPTURE(bad);
        const said by_name = user(db, "add", {"--realm", "example.org", "--", bad}, "secret");
        CHECK(by_name.status == turnctl::exit_usage);
        CHECK(std::count(by_name.err.begin(), by_name.err.end(), '\n') == 1); // what it quotes is printable
        CHECK(!contains(by_name.err, "\x1b"));
        CHECK(user(db, "add", {"--realm", bad, "ann"}, "secret").status == turnctl::exit_usage);
        CHECK(user(db, "list", {"--realm", bad}).status == turnctl::exit_usage);
    }
    CHECK(user(db, "add", {"--realm", std::string(128, 'r'), "ann"}, "secret").status == turnctl::exit_usage);
    CHECK(user(db, "add", {}, "secret").status == turnctl::exit_usage);
    CHECK(user(db, "add", {"--realm", "r", "ann", "bob"}, "secret").status == turnctl::exit_usage);
    CHECK(told({"user"}).status == turnctl::exit_usage);
    CHECK(told({"user", "add", "ann", "--password", "secret"}).status == turnctl::exit_usage); // there is no such flag
    CHECK(!std::filesystem::exists(db));
}

TEST_CASE("turnctl user: rows that others wrote are shown as what can be shown") {
    const room place;
    const std::string db = place.path("users.db");
    turnd::user_database users = open_to_write(db);
    REQUIRE(users.add("r\n", std::string("\x1b[2J\0<script>", 13), keys_of("x", "y")));
    REQUIRE(users.add("r\n", "Andr\xe9", keys_of("x", "y")));
    const said text = user(db, "list", {});
    CHECK(contains(text.out, "r\\x0a  \\x1b[2J\\x00<script>\n"));
    CHECK(contains(text.out, "Andr\\xe9\n"));
    const auto json = nlohmann::json::parse(user(db, "list", {"--json"}).out);
    CHECK(json.at("users")[0].at("name") == std::string("\x1b[2J\0<script>", 13));
    CHECK(json.at("users")[1].at("name") == "Andr\ufffd");
}

TEST_CASE("turnctl user: a password is one line of a file or of standard input") {
    const room place;
    const std::string db = place.path("users.db");
    const auto by_file = [&](const std::string& name, const std::string& text) {
        return told({"user", "add", "--database", db, "--realm", "example.org", name, "--password-file",
                     place.file("password", text)});
    };
    CHECK(by_file("ann", "with a file's end\r\n").status == turnctl::exit_good);
    CHECK(has_password(db, "ann", "with a file's end"));
    CHECK(by_file("bob", " spaces \xe2\x82\xac ").status == turnctl::exit_good);
    CHECK(has_password(db, "bob", " spaces \xe2\x82\xac "));

    const std::vector<std::pair<std::string, std::string>> bad{
        {"", "the password is empty"},
        {"\n", "the password is empty"},
        {"one\ntwo\n", "there is more than one line"},
        {std::string("se\0cret", 7), "the password is not acceptable"},
        {"secr\xe9t", "the password is not acceptable"},
        {"tab\tin it", "the password is not acceptable"},
        {std::string(5000, 'x'), "4096 bytes"},
    };
    for (const auto& one : bad) {
        const std::string& text = one.first;
        const std::string& why = one.second;
        CAPTURE(why);
        const said from_file = by_file("cid", text);
        CHECK(from_file.status == turnctl::exit_critical);
        CHECK(contains(from_file.err, why));
        const said from_input = user(db, "add", {"--realm", "example.org", "cid"}, text);
        CHECK(from_input.status == turnctl::exit_critical);
        CHECK(contains(from_input.err, why));
        CHECK(!contains(from_file.err + from_input.err, "cret"));
    }
    CHECK(contains(told({"user", "add", "--database", db, "cid", "--password-file", place.path("absent")}).err,
                   "the file cannot be read"));
    CHECK(told({"user", "add", "--database", db, "cid", "--password-file", "x", "--password-stdin"}).status ==
          turnctl::exit_usage);
    CHECK(!contains(user(db, "list", {}).out, "cid"));
}

namespace {

/// A terminal with somebody who types; all that it shows is kept.
class typist {
public:
    typist() : near_(::posix_openpt(O_RDWR | O_NOCTTY)) {
        REQUIRE(near_ >= 0);
        REQUIRE(::grantpt(near_) == 0);
        REQUIRE(::unlockpt(near_) == 0);
        path = ::ptsname(near_);
        far_ = ::open(path.c_str(), O_RDWR | O_NOCTTY); // what it shows is not lost when turnctl closes it
    }
    ~typist() {
        ::close(near_);
        ::close(far_);
    }
    typist(const typist&) = delete;
    typist& operator=(const typist&) = delete;

    /// Types each line when it is asked for something.
    turnd::parsed<std::string> asked(const std::vector<std::string>& lines) {
        std::thread hands([&] {
            for (const std::string& line : lines) {
                wait_for(": ");
                CHECK(::write(near_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
            }
        });
        std::istringstream in;
        std::ostringstream out, err;
        turnctl::console to{in, out, err};
        auto password = turnctl::read_password({.terminal = path}, to);
        hands.join();
        REQUIRE(::write(far_, "end", 3) == 3);
        wait_for("end");
        return password;
    }

    std::string path{};
    std::string screen{};

private:
    void wait_for(const std::string& text) {
        const std::size_t from = seen_;
        char block[256];
        while (screen.find(text, from) == std::string::npos) {
            const ssize_t n = ::read(near_, block, sizeof block);
            if (n <= 0) return; // what is missing is missed below
            screen.append(block, static_cast<std::size_t>(n));
        }
        seen_ = screen.find(text, from) + text.size();
    }

    int near_;
    int far_ = -1;
    std::size_t seen_ = 0;
};

} // namespace

TEST_CASE("turnctl user: a password that is typed is asked for twice and never shown") {
    typist somebody;
    const auto password = somebody.asked({"blue horizon\n", "blue horizon\n"});
    REQUIRE(password);
    CHECK(*password == "blue horizon");
    CHECK(!contains(somebody.screen, "blue"));

    typist hasty;
    const auto different = hasty.asked({"blue horizon\n", "blue horison\n"});
    REQUIRE(!different);
    CHECK(different.error().what == "the two are not the same");
    typist silent;
    const auto nothing = silent.asked({"\x04"}); // Ctrl-D
    REQUIRE(!nothing);
    CHECK(nothing.error().what == "no password was entered");
}

TEST_CASE("turnctl user: without a terminal it says how else to give the password") {
    std::istringstream in("not meant\n");
    std::ostringstream out, err;
    turnctl::console to{in, out, err};
    for (const char* not_a_terminal : {"/dev/null", "/nonexistent"}) {
        const auto password = turnctl::read_password({.terminal = not_a_terminal}, to);
        REQUIRE(!password);
        CHECK(password.error().remedy == "give it by --password-stdin or --password-file");
    }
}
