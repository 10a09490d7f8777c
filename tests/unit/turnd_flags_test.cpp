#include <doctest/doctest.h>

#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

std::string first_problem(const command_line& line) {
    return line.problems.empty() ? "" : line.problems.front().to_string();
}

} // namespace

TEST_CASE("turnd: the command line says what to do") {
    CHECK(parse_command_line({}).what == command_line::verb::run);
    CHECK(parse_command_line({"--version"}).what == command_line::verb::version);
    CHECK(parse_command_line({"--help"}).what == command_line::verb::help);
    CHECK(parse_command_line({"-h"}).what == command_line::verb::help);
    CHECK(parse_command_line({"check-config"}).what == command_line::verb::check_config);

    const command_line check = parse_command_line({"check-config", "--config", "x.toml"});
    CHECK(check.what == command_line::verb::check_config);
    CHECK(check.problems.empty());
    REQUIRE(check.flags.contains("config"));
    CHECK(check.flags.at("config").front().text == "x.toml");
}

TEST_CASE("turnd: values are taken as they are") {
    const command_line line = parse_command_line(
        {"--user", "[a,b]:c", "--user=x:=y", "--listen", "[::]:3478", "--realm", "", "--user", "a b:c"});
    CHECK(first_problem(line) == "");
    REQUIRE(line.flags.at("user").size() == 3);
    CHECK(line.flags.at("user")[0].text == "[a,b]:c");
    CHECK(line.flags.at("user")[1].text == "x:=y");
    CHECK(line.flags.at("user")[2].text == "a b:c");
    CHECK(line.flags.at("listen")[0].text == "[::]:3478");
    CHECK(line.flags.at("realm")[0].text == "");
    CHECK(line.flags.at("user")[0].where.name == "--user");
    CHECK(line.flags.at("user")[0].where.from == origin::layer::flag);
}

TEST_CASE("turnd: unknown flags and stray words are problems with a suggestion") {
    CHECK(first_problem(parse_command_line({"--relam", "x"})) ==
          "command line: --relam: there is no such flag; did you mean --realm?");
    CHECK(parse_command_line({"--relam", "x"}).problems.size() == 1); // x is its value
    CHECK(first_problem(parse_command_line({"--port=3478"})) ==
          "command line: --port: there is no such flag; turnd --help has all of them");
    CHECK(first_problem(parse_command_line({"start"})) ==
          "command line: \"start\": this word was not expected; the only command is check-config; flags begin with --");
    CHECK(parse_command_line({"--listen", "127.0.0.1:1", "127.0.0.1:2"}).problems.size() == 1);
    CHECK(parse_command_line({"check-config", "--listne", "a", "x.toml"}).problems.size() == 2);
}

TEST_CASE("turnd: a flag without its value is a problem and nothing else is judged") {
    const command_line line = parse_command_line({"--user", "ann:x", "--realm"});
    CHECK(!line.understood);
    CHECK(line.problems.size() == 1);
    CHECK(contains(first_problem(line), "--realm"));
}
