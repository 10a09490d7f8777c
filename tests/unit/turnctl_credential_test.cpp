#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "rest_credentials.hpp"
#include "turn/stun/credentials.hpp"
#include "turnctl_console.hpp"
#include "turnd_room.hpp"

using turnctl::test::told;
using namespace std::chrono_literals;

namespace {

const std::string secret = "north star secret";

} // namespace

TEST_CASE("turnctl credential: turnd takes what it makes, for as long as it says and no longer") {
    const turnd::test::room room;
    const std::string file = room.file("secret", secret + "\nsouth star secret\n");
    const auto before = std::chrono::system_clock::now();
    const auto made = told({"credential", "--secret-file", file, "--user", "ann", "--lifetime", "10m", "--uri",
                            "turn:turn.example.org", "--uri", "turns:turn.example.org:443?transport=tcp", "--json"});
    REQUIRE(made.status == turnctl::exit_good);
    CHECK(made.err.empty());
    const auto json = nlohmann::json::parse(made.out);
    const std::string username = json.at("username");

    const auto name = turnd::parse_time_limited_name(username);
    REQUIRE(name);
    CHECK(name->user == "ann");
    CHECK(name->expiry >= before + 9min);
    CHECK(name->expiry <= std::chrono::system_clock::now() + 10min);

    const turnd::rest_credentials credentials({secret}, 0);
    const auto answer = credentials.look_up({username, "example.org"}, before);
    const auto key = turn::stun::long_term_key(username, "example.org", json.at("credential").get<std::string>());
    REQUIRE(key);
    REQUIRE(answer.found);
    CHECK(answer.found->key.value == key->value);

    const auto& server = json.at("iceServers").at(0);
    CHECK(server.at("urls").at(1) == "turns:turn.example.org:443?transport=tcp");
    CHECK(server.at("username") == username);
    CHECK(server.at("credential") == json.at("credential"));
}

TEST_CASE("turnctl credential: without --json it is for people, and a user is optional") {
    const turnd::test::room room;
    const auto made = told({"credential", "--secret-file", room.file("secret", secret), "--uri", "turn:h"});
    CHECK(made.status == turnctl::exit_good);
    CHECK(turnd::test::contains(made.out, "username    1"));
    CHECK(turnd::test::contains(made.out, R"({"iceServers":[{"urls":["turn:h"],"username":"1)"));
    CHECK(!turnd::test::contains(made.out, secret));
}

TEST_CASE("turnctl credential: what makes no sense is named, and no secret is shown") {
    const turnd::test::room room;
    const std::string file = room.file("secret", secret);
    const auto refused = [&](int status, std::string_view words, std::vector<std::string> more) {
        std::vector<std::string> arguments{"credential"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const auto said = told(arguments);
        CHECK_MESSAGE(said.status == status, said.err);
        CHECK_MESSAGE(turnd::test::contains(said.err, words), said.err);
        CHECK(said.out.empty());
        CHECK(!turnd::test::contains(said.err, secret));
    };
    refused(turnctl::exit_usage, "--secret-file", {});
    refused(turnctl::exit_usage, "--lifetime \"1y\"", {"--secret-file", file, "--lifetime", "1y"});
    refused(turnctl::exit_usage, "--lifetime \"0s\"", {"--secret-file", file, "--lifetime", "0s"});
    refused(turnctl::exit_usage, "--uri \"http://x\"", {"--secret-file", file, "--uri", "http://x"});
    refused(turnctl::exit_usage, "--user \"a\\x01\"", {"--secret-file", file, "--user", "a\x01"});
    refused(turnctl::exit_usage, "--user \"\\xff\"", {"--secret-file", file, "--user", "\xff"});
    refused(turnctl::exit_usage, "508 bytes", {"--secret-file", file, "--user", std::string(498, 'a')});
    refused(turnctl::exit_critical, "no secret", {"--secret-file", room.file("empty", "\n\n")});
    refused(turnctl::exit_critical, "No such file", {"--secret-file", room.path("absent")});
    CHECK(told({"credential", "--secret-file", file, "--user", std::string(497, 'a')}).status == turnctl::exit_good);
}

TEST_CASE("turnctl: help and version are for everybody, an unknown verb is named") {
    CHECK(told({"--help"}).status == turnctl::exit_good);
    CHECK(turnd::test::contains(told({"--help"}).out, "credential"));
    CHECK(turnd::test::contains(told({"--version"}).out, "turnctl "));
    CHECK(told({}).status == turnctl::exit_usage);
    const auto said = told({"frob\x1b[2J"});
    CHECK(said.status == turnctl::exit_usage);
    CHECK(!turnd::test::contains(said.err, "\x1b"));
}
