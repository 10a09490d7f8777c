#include <doctest/doctest.h>

#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

configuration with_flags(std::vector<std::string> flags) {
    return load({.flags = std::move(flags), .variables = {}, .toml = ""});
}

} // namespace

TEST_CASE("turnd: without credentials it starts on loopback only or when told so") {
    const configuration refused = with_flags({"--listen", "127.0.0.1:0", "--listen", "192.0.2.1:0"});
    CHECK(said(refused) ==
          "configuration: auth: clients have no way to authenticate: there is no user, no user database and no "
          "shared secret; give rest-secret-file, user-database or user, or listen on loopback only, or set auth = "
          "\"none\" to serve STUN "
          "alone");
    CHECK(contains(said(with_flags({})), "no way to authenticate")); // the default listeners
    CHECK(contains(said(with_flags({"--listen", "[::]:0"})), "no way to authenticate"));
    CHECK(contains(said(with_flags({"--listen", "[::ffff:127.0.0.1]:0"})), "no way to authenticate"));
    CHECK(contains(said(with_flags({"--allow-anonymous-relay"})), "no way to authenticate")); // not enough of a wish

    const configuration local =
        with_flags({"--listen", "127.0.0.1:0", "--listen", "127.9.9.9:0", "--listen", "[::1]:0"});
    CHECK(said(local) == "");
    CHECK(service_of(local.settings) == service::stun_only);
    CHECK(only_on_loopback(local.settings));

    const configuration open = with_flags({"--listen", "127.0.0.1:0", "--allow-anonymous-relay"});
    CHECK(said(open) == "");
    CHECK(service_of(open.settings) == service::relay_anonymously);
}

TEST_CASE("turnd: auth none serves STUN alone unless everybody may relay") {
    CHECK(said(with_flags({"--auth", "none"})) == "");
    CHECK(service_of(with_flags({"--auth", "none"}).settings) == service::stun_only);
    CHECK(said(with_flags({"--auth", "none", "--allow-anonymous-relay"})) == "");
    CHECK(service_of(with_flags({"--auth", "none", "--allow-anonymous-relay"}).settings) == service::relay_anonymously);
    CHECK(said(load({.flags = {}, .variables = {}, .toml = "auth = \"none\"\n"})) == "");
}

TEST_CASE("turnd: credentials and the wish for none contradict each other") {
    CHECK(contains(said(with_flags({"--auth", "none", "--user", "ann:x", "--realm", "r"})),
                   "command line: --auth = \"none\": there are users or shared secrets all the same"));
    CHECK(contains(said(with_flags({"--allow-anonymous-relay", "--user", "ann:x", "--realm", "r"})),
                   "command line: --allow-anonymous-relay = \"true\": there are users or shared secrets all the same"));
}

TEST_CASE("turnd: names cannot be hidden where they are those of time-limited credentials") {
    const room files;
    const std::string secret = files.file("secret", "north star, east star, south star");
    const std::vector<std::string> hiding{"--username-anonymity", "--realm=r", "--user=ann:x"};
    CHECK(said(with_flags(hiding)) == "");
    std::vector<std::string> both = hiding;
    both.push_back("--rest-secret-file=" + secret);
    CHECK(contains(said(with_flags(both)), "command line: --username-anonymity = \"true\": the names of time-limited "
                                           "credentials cannot be told from their hashes"));
}

TEST_CASE("turnd: a realm is required as soon as there are credentials") {
    CHECK(said(with_flags({"--user", "ann:x"})) ==
          "configuration: realm: credentials belong to a realm, and there is none; set realm, e.g. to your domain");
    CHECK(said(with_flags({"--user", "ann:x", "--realm", "example.org"})) == "");
    const std::string auth = "[auth]\nusers = [\"ann:x\"]\n";
    const auto of = [&](const std::string& toml) { return load({.flags = {}, .variables = {}, .toml = toml + auth}); };
    CHECK(said(of("[[listener]]\naddress = \"192.0.2.1:0\"\nrealm = \"a\"\n")) == "");
    CHECK(
        said(of("[[listener]]\naddress = \"192.0.2.1:0\"\nrealm = \"a\"\n[[listener]]\naddress = \"192.0.2.2:0\"\n")) ==
        "turnd.toml: realm: credentials belong to a realm, and there is none; set realm, e.g. to your domain");
    const configuration several = of("realm = \"b\"\n[[listener]]\naddress = \"192.0.2.1:0\"\nrealm = "
                                     "\"a\"\n[[listener]]\naddress = \"192.0.2.2:0\"\n");
    CHECK(said(several) == "");
    REQUIRE(several.settings.listeners.size() == 4); // two tables, over UDP and TCP
    CHECK(realm_of(several.settings.listeners[0], several.settings) == "a");
    CHECK(realm_of(several.settings.listeners[1], several.settings) == "a");
    CHECK(realm_of(several.settings.listeners[2], several.settings) == "b");
}

TEST_CASE("turnd: what follows from a reported problem is not reported as well") {
    CHECK(said(with_flags({"--realm", "example.org", "--user", "ann"})) ==
          "command line: --user (hidden): the colon between name and password is missing; write NAME:PASSWORD");
    CHECK(contains(said(with_flags({"--listen", "nowhere"})), "names are not looked up"));
    CHECK(with_flags({"--listen", "nowhere"}).problems.size() == 1);
    CHECK(with_flags({"--user", "ann:x", "--realm", ""}).problems.size() == 1);
}

TEST_CASE("turnd: a server without listeners and a policy without peers are noticed") {
    CHECK(contains(said(load({.flags = {}, .variables = {}, .toml = "listener = []\n" + realm_and_user})),
                   "there is no listener"));
    const configuration c =
        load({.flags = {}, .variables = {}, .toml = realm_and_user + "[peers]\npolicy = \"allow-list\"\n"});
    CHECK(said(c) == "");
    REQUIRE(c.warnings.size() == 1);
    CHECK(contains(c.warnings.front(), "no peer can be reached"));
}

TEST_CASE("turnd: shared secrets are read from files one a line") {
    const room files;
    const auto of = [&](const std::string& file) { return with_flags({"--realm", "r", "--rest-secret-file", file}); };
    const configuration good = of(files.file("good", "0123456789abcdef\r\n\nfedcba9876543210\n"));
    CHECK(said(good) == "");
    CHECK(good.settings.rest_secrets == std::vector<std::string>{"0123456789abcdef", "fedcba9876543210"});

    CHECK(contains(said(of(files.path("absent"))), "--rest-secret-file = \"" + files.path("absent") +
                                                       "\": the file cannot be read: No such file or directory"));
    CHECK(contains(said(of(files.file("empty", "\n"))), "there is no secret in it; write one secret a line"));
    CHECK(contains(said(of(files.file("short", "0123456789abcdef\nhunter2\n"))),
                   "short:2: --rest-secret-file (hidden): the secret has fewer than 16 bytes; make one with "));
    CHECK(contains(said(of(files.file("twice", "0123456789abcdef\n0123456789abcdef\n"))),
                   "twice:2: --rest-secret-file (hidden): this secret is given twice"));
    CHECK(!contains(said(of(files.file("short", "hunter2\n"))), "hunter2"));
}

TEST_CASE("turnd: secrets come from variables or files or the service manager") {
    const room files;
    const std::string users = files.file("users", "ann:one\n\nbob:two:three\n");
    const std::string secrets = files.file("secrets", "0123456789abcdef\n");
    const auto of = [](environment variables) {
        return load({.flags = {"--realm", "r"}, .variables = std::move(variables), .toml = ""});
    };
    const configuration named = of({{"TURND_USER_FILE", users}, {"TURND_REST_SECRET_FILE", secrets}});
    CHECK(said(named) == "");
    REQUIRE(named.settings.users.size() == 2);
    CHECK(named.settings.users[1].name == "bob");
    CHECK(named.settings.users[1].password == "two:three");
    CHECK(named.settings.rest_secrets == std::vector<std::string>{"0123456789abcdef"});

    const configuration direct =
        of({{"TURND_USER", "ann:a,b"}, {"TURND_REST_SECRET", "aaaaaaaaaaaaaaaa\nbbbbbbbbbbbbbbbb"}});
    CHECK(said(direct) == "");
    REQUIRE(direct.settings.users.size() == 1);
    CHECK(direct.settings.users[0].password == "a,b"); // a comma belongs to the password
    CHECK(direct.settings.rest_secrets.size() == 2);

    const room credentials;
    credentials.file("user", "cid:credential\n");
    credentials.file("rest-secret", "cccccccccccccccc\n");
    const configuration managed = of({{"CREDENTIALS_DIRECTORY", credentials.path("")}});
    CHECK(said(managed) == "");
    REQUIRE(managed.settings.users.size() == 1);
    CHECK(managed.settings.users[0].name == "cid");
    CHECK(managed.settings.rest_secrets == std::vector<std::string>{"cccccccccccccccc"});
    // A directory with other services' credentials is no wish of turnd's.
    CHECK(contains(said(of({{"CREDENTIALS_DIRECTORY", files.path("")}})), "no way to authenticate"));
}

TEST_CASE("turnd: problems with secrets from the environment name the place and not the secret") {
    const room files;
    const auto of = [](environment variables) {
        return said(load({.flags = {"--realm", "r"}, .variables = std::move(variables), .toml = ""}));
    };
    CHECK(of({{"TURND_USER", "ann:x"}, {"TURND_USER_FILE", "/x"}})
              .starts_with(
                  "environment: TURND_USER_FILE = \"/x\": TURND_USER is set as well; leave one of the two unset"));
    CHECK(contains(of({{"TURND_USER_FILE", "/nonexistent"}}),
                   "environment: TURND_USER_FILE = \"/nonexistent\": the file "
                   "cannot be read"));
    CHECK(contains(of({{"TURND_USER_FILE", files.file("users", "ann:x\n\nbob\n")}}),
                   "users:3: TURND_USER_FILE (hidden): the colon between name and password is missing"));
    CHECK(contains(of({{"TURND_REST_SECRET", "short"}}),
                   "environment:1: TURND_REST_SECRET (hidden): the secret has fewer"));
}

TEST_CASE("turnd: a misspelt variable is warned about and no error") {
    const configuration c = load({.flags = {},
                                  .variables = {{"TURND_RELAM", "x"},
                                                {"TURND_SERVICE_HOST", "10.0.0.1"},
                                                {"TURND_PORT", "tcp://10.0.0.1:80"},
                                                {"TURND_REALM", "example.org"},
                                                {"PATH", "/bin"}},
                                  .toml = realm_and_user});
    CHECK(said(c) == "");
    CHECK(c.warnings == std::vector<std::string>{"environment: TURND_RELAM is not a key; did you mean TURND_REALM?"});
}

TEST_CASE("turnd: the counters file must have a directory to be in") {
    CHECK(contains(said(with_flags({"--auth", "none", "--counters-file", "/nonexistent/counters.json"})),
                   "its directory does not exist"));
    CHECK(contains(said(with_flags({"--auth", "none", "--counters-file", "/tmp"})), "this is a directory"));
    CHECK(contains(said(with_flags({"--auth", "none", "--counters-file", ""})), "the path is empty"));
    CHECK(contains(said(with_flags({"--realm", "r", "--user-database", "/nonexistent/users.db"})),
                   "its directory does not exist; create it or correct the path"));
    CHECK(contains(said(with_flags({"--realm", "r", "--user-database", "/tmp"})), "this is a directory"));
    CHECK(contains(said(with_flags({"--realm", "r", "--user-database", ""})), "the path is empty"));
}
