#include <doctest/doctest.h>

#include "credential_directory.hpp"
#include "turnd_room.hpp"
#include "users.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::sys_seconds noon{1'800'000'000s};
const std::string secret = "north star secret";
const std::string next_secret = "south star secret";

turn::stun::credential_key key_of(std::string_view name, std::string_view realm, std::string_view password) {
    const auto key = turn::stun::long_term_key(name, realm, password);
    REQUIRE(key);
    return *key;
}

bool same(const turn::stun::credential_key& a, const turn::stun::credential_key& b) {
    return a.size == b.size && a.value == b.value;
}

} // namespace

TEST_CASE("RFC 8489 9.2.2: a user has a key in each realm and his password is not kept") {
    user_table users;
    REQUIRE(users.add("a.example", "ann", "secret"));
    REQUIRE(users.add("b.example", "ann", "other"));
    REQUIRE(users.find("a.example", "ann") != nullptr);
    CHECK(same(users.find("a.example", "ann")->keys.md5, key_of("ann", "a.example", "secret")));
    CHECK(same(users.find("b.example", "ann")->keys.md5, key_of("ann", "b.example", "other")));
    CHECK(users.find("c.example", "ann") == nullptr);
    CHECK(users.find("a.example", "bob") == nullptr);
    CHECK(users.find("a.example", "Ann") == nullptr);
    CHECK(users.find("a.example", "") == nullptr);
    CHECK(users.find("a.example", std::string_view("ann\0junk", 8)) == nullptr);
    CHECK(users.find("a.example", "ann ") == nullptr);
    CHECK(users.size() == 2);
    CHECK(!users.add("a.example", "a\x01nn", "secret"));
    CHECK(!users.add("a.example", "", "secret"));
}

TEST_CASE("RFC 8265 4.2: a user is found however his name is composed") {
    user_table users;
    REQUIRE(users.add("r", "Andr\u00e9", "x"));
    REQUIRE(users.find("r", "Andr\u00e9") != nullptr);
    CHECK(users.find("r", "Andre\u0301") == users.find("r", "Andr\u00e9"));
    CHECK(same(users.find("r", "Andr\u00e9")->keys.md5, key_of("Andr\u00e9", "r", "x")));
    CHECK(users.find("r", "Andr\xe9") == nullptr); // Latin-1
}

TEST_CASE("turnd: names of time-limited credentials begin with their expiry") {
    REQUIRE(parse_time_limited_name("1800000000:ann"));
    CHECK(parse_time_limited_name("1800000000:ann")->expiry == noon);
    CHECK(parse_time_limited_name("1800000000:ann")->user == "ann");
    CHECK(parse_time_limited_name("1800000000:ann:phone")->user == "ann:phone");
    CHECK(parse_time_limited_name("1800000000")->user == "");
    CHECK(parse_time_limited_name("0:ann")->expiry == std::chrono::sys_seconds{0s});
    CHECK(parse_time_limited_name("999999999999999:ann"));
    for (const char* name : {"", ":", ":ann", "ann:1800000000", "ann", "-1:ann", "+1:ann", " 1:ann", "1800000000 :ann",
                             "0x10:ann", "1.5:ann", "9999999999999999:ann", "%d:ann"}) {
        CAPTURE(name);
        CHECK(!parse_time_limited_name(name));
    }
}

TEST_CASE("turnd: a time-limited credential is good until its expiry") {
    const rest_credentials rest({secret}, 100);
    const std::string name = "1800000000:ann";
    const auto answer = rest.look_up({name, "example.org"}, noon);
    REQUIRE(answer.found);
    CHECK(same(answer.found->key, key_of(name, "example.org", turn::stun::rest_password(secret, name))));
    CHECK(answer.found->alternatives.empty());
    CHECK(answer.found->account == "ann");
    CHECK(answer.found->allocation_limit == 100);
    CHECK(rest.look_up({name, "example.org"}, noon - 24h).found);
    CHECK(rest.look_up({name, "example.org"}, noon + 999ms).found);

    const auto late = rest.look_up({name, "example.org"}, noon + 42s);
    CHECK(!late.found);
    CHECK(late.why == turn::reason::expired);
    CHECK(late.expired_for == 42s);
    CHECK(rest.look_up({"0", "example.org"}, noon).expired_for == std::chrono::seconds(1'800'000'000));
}

TEST_CASE("turnd: a name of another form has no time-limited credential") {
    const rest_credentials rest({secret}, 100);
    for (const std::string& name : {std::string("ann"), std::string("ann:1800000000"), std::string(),
                                    std::string("1800000000:ann\0junk", 19), std::string("1800000000:\xff")}) {
        CAPTURE(name);
        const auto answer = rest.look_up({name, "example.org"}, noon);
        CHECK(!answer.found);
        CHECK(answer.why == turn::reason::unknown_user);
    }
    CHECK(rest_credentials({}, 100).look_up({"1800000000:ann", "r"}, noon).why == turn::reason::unknown_user);
    CHECK(!rest_credentials({}, 100).look_up({"1800000000:ann", "r"}, noon).found);
}

TEST_CASE("turnd: the password is that of the draft's scheme as other issuers compute it") {
    // printf %s '1800000000:ann' | openssl dgst -sha1 -hmac 'north star secret' -binary | base64
    CHECK(turn::stun::rest_password(secret, "1800000000:ann") == "x1gUVsQiy9+qAqD6cSapiUzjTnY=");
}

TEST_CASE("turnd: during a roll-over the credentials of every secret are good") {
    const rest_credentials rest({secret, next_secret}, 0);
    const std::string name = "1800000000:ann";
    const auto answer = rest.look_up({name, "r"}, noon);
    REQUIRE(answer.found);
    CHECK(same(answer.found->key, key_of(name, "r", turn::stun::rest_password(secret, name))));
    REQUIRE(answer.found->alternatives.size() == 1);
    CHECK(same(answer.found->alternatives[0], key_of(name, "r", turn::stun::rest_password(next_secret, name))));
}

TEST_CASE("turnd: every answer stands for the same number of keys") {
    settings s;
    s.realm = "r";
    s.listeners = {{}};
    s.users = {{"ann", "secret"}, {"bob", "secret"}};
    s.rest_secrets = {secret, next_secret, "east star secret"};
    const credential_directory directory(s);
    CHECK(directory.keys_per_user() == 3);

    const auto ann = directory.look_up({"ann", "r"}, noon);
    REQUIRE(ann.found);
    CHECK(same(ann.found->key, key_of("ann", "r", "secret")));
    CHECK(ann.found->alternatives.size() == 2);
    CHECK(ann.found->account == "");
    const auto limited = directory.look_up({"1800000000:cid", "r"}, noon);
    REQUIRE(limited.found);
    CHECK(limited.found->alternatives.size() == 2);
    CHECK(directory.look_up({"nobody", "r"}, noon).keys_to_try == 3);
    CHECK(directory.look_up({"1800000000:cid", "r"}, noon + 1h).keys_to_try == 3);
    CHECK(directory.look_up({"1800000000:\x01", "r"}, noon).keys_to_try == 3);

    // The keys that fill up are random: none of another process's, none twice.
    CHECK(!same(ann.found->alternatives[0], ann.found->alternatives[1]));
    settings again;
    again.realm = "r";
    again.listeners = {{}};
    again.users = {{"ann", "secret"}};
    again.rest_secrets = {secret, next_secret};
    CHECK(!same(credential_directory(again).look_up({"ann", "r"}, noon).found->alternatives[0],
                ann.found->alternatives[0]));
}

TEST_CASE("RFC 8489 9.2.4: users of the configuration and of shared secrets have keys of either algorithm") {
    settings s;
    s.realm = "r";
    s.listeners = {{}};
    s.users = {{"ann", "secret"}};
    s.rest_secrets = {secret};
    const credential_directory directory(s);
    const std::string name = "1800000000:cid";
    using enum turn::stun::password_algorithm_number;
    for (const auto algorithm : {md5, sha256}) {
        const auto ann = directory.look_up({.username = "ann", .realm = "r", .algorithm = algorithm}, noon);
        REQUIRE(ann.found);
        CHECK(same(ann.found->key, *turn::stun::long_term_key(algorithm, "ann", "r", "secret")));
        const auto cid = directory.look_up({.username = name, .realm = "r", .algorithm = algorithm}, noon);
        REQUIRE(cid.found);
        CHECK(same(cid.found->key,
                   *turn::stun::long_term_key(algorithm, name, "r", turn::stun::rest_password(secret, name))));
    }
}

TEST_CASE("RFC 8489 14.4: a user of the configuration is found by the hash of his name in his realm") {
    settings s;
    s.listeners = {{.realm = "a"}, {.realm = "b"}};
    s.users = {{"ann", "secret"}, {"Andr\u00e9", "x"}};
    const credential_directory directory(s);
    const auto found_in = [&](std::string_view realm, std::string_view name, std::string_view hashed_for) {
        const auto hash = *turn::stun::hash_username(name, hashed_for);
        const auto answer = directory.look_up({.realm = realm, .userhash = hash}, noon);
        return answer.found ? answer.found->username : "nobody";
    };
    CHECK(found_in("a", "ann", "a") == "ann");
    CHECK(found_in("b", "ann", "b") == "ann");
    CHECK(found_in("b", "Andre\u0301", "b") == "Andr\u00e9");
    CHECK(found_in("a", "ann", "b") == "nobody");
    CHECK(found_in("c", "ann", "c") == "nobody");
    CHECK(found_in("a", "bob", "a") == "nobody");
}

TEST_CASE("turnd: without shared secrets there is one key and one is tried") {
    settings s;
    s.realm = "r";
    s.listeners = {{}};
    s.users = {{"ann", "secret"}};
    const credential_directory directory(s);
    CHECK(directory.keys_per_user() == 1);
    CHECK(directory.look_up({"ann", "r"}, noon).found->alternatives.empty());
    CHECK(directory.look_up({"nobody", "r"}, noon).keys_to_try == 1);
    CHECK(directory.look_up({"nobody", "r"}, noon).why == turn::reason::unknown_user);
}

TEST_CASE("turnd: passwords and secrets are wiped from the settings once keys are made of them") {
    settings s;
    s.listeners.resize(2);
    s.listeners[0].realm = "a";
    s.listeners[1].realm = "b";
    s.users = {{"ann", "secret"}};
    s.rest_secrets = {secret};
    const credential_directory directory(s);
    CHECK(s.users[0].password == "");
    CHECK(s.rest_secrets[0] == "");
    CHECK(service_of(s) == service::relay_with_credentials); // what it is does not change by that
    CHECK(same(directory.look_up({"ann", "a"}, noon).found->key, key_of("ann", "a", "secret")));
    CHECK(same(directory.look_up({"ann", "b"}, noon).found->key, key_of("ann", "b", "secret")));
    CHECK(directory.user_count() == 2);
}

TEST_CASE("turnd: holders of time-limited credentials have a limit unless the operator sets one for all") {
    const auto limit = [](std::optional<std::size_t> per_user) {
        settings s;
        s.rest_secrets = {secret};
        s.allocations_per_user = per_user;
        return credential_directory(s).look_up({"1800000000:ann", "r"}, noon).found->allocation_limit;
    };
    CHECK(limit({}) == 100);
    CHECK(limit(7) == 0); // the server's own limit holds, which is 7
    CHECK(limit(0) == 0); // and here none
}

TEST_CASE("turnd: the credential source answers at once") {
    settings s;
    s.realm = "r";
    s.listeners = {{}};
    s.users = {{"ann", "secret"}};
    const current_directory directory(s);
    int answers = 0;
    source_of(directory)({"ann", "r"}, [&](const turn::credential_answer& answer) {
        ++answers;
        CHECK(answer.found);
    });
    source_of(directory)({"bob", "r"}, [&](const turn::credential_answer& answer) {
        ++answers;
        CHECK(!answer.found);
    });
    CHECK(answers == 2);
}
