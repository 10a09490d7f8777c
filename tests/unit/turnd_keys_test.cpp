#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

std::string example_file() {
    return std::string(TESTS_SOURCE_DIR) + "/../turnd/turnd.toml.example";
}

std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// The example with every key that is commented out switched on.
std::string everything_on(const std::string& text) {
    std::string result;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t equals = line.find(" = ");
        const bool commented_key = line.starts_with("# ") && equals != std::string::npos &&
                                   line.find(' ', 2) == equals &&
                                   line.find_first_of("\"[0123456789tf", equals) == equals + 3;
        result += (commented_key || line == "# [[listener]]" ? line.substr(2) : line) + "\n";
    }
    return result;
}

} // namespace

TEST_CASE("turnd: keys have names and places of their own") {
    std::set<std::string_view> names;
    std::set<std::string_view> paths;
    for (const key& k : all_keys()) {
        CAPTURE(std::string(k.name));
        CHECK(names.insert(k.name).second);
        if (!k.path.empty()) CHECK(paths.insert(k.path).second);
        CHECK(!k.help.empty());
        CHECK(!k.group.empty());
        CHECK((k.example.empty() == k.path.empty()));
        CHECK(k.argument.empty() == (k.form == toml_form::boolean));
        CHECK(find_key(k.name) == &k);
        CHECK(find_key_by_path(k.path) == (k.path.empty() ? nullptr : &k));
    }
    CHECK(find_key("relay-ports")->environment() == "TURND_RELAY_PORTS");
    CHECK(find_key("nonsense") == nullptr);
}

TEST_CASE("turnd: the defaults of the table are acceptable values") {
    settings s;
    problem_list problems;
    const layer defaults = built_in_layer();
    for (const key& k : all_keys())
        if (const auto at = defaults.find(k.name); at != defaults.end()) k.apply(k, at->second, s, problems);
    CHECK(problems.empty());
    CHECK(s.listeners.size() == 4);       // two addresses, over UDP and TCP
    const turn::connection_limits limits; // the library's defaults and turnd's are the same
    CHECK(s.connections_without_allocation == limits.without_allocation);
    CHECK(s.connections_per_source == limits.per_source);
    CHECK(s.connection_idle_timeout == limits.idle);
    CHECK(s.tls_handshake_timeout == limits.handshake);
    CHECK(s.client_queue_bytes == limits.queue_bytes);
    CHECK(s.client_queue_age == limits.queue_age);
}

TEST_CASE("turnd: the example file is a good configuration") {
    const configuration c = load_configuration({{"config", {{example_file(), {}}}}}, {}, "/absent");
    CHECK(said(c) == "");
    CHECK(c.warnings.empty());
    CHECK(c.settings.realm == "example.org");
    CHECK(c.settings.users.size() == 1);
    CHECK(c.settings.listeners.size() == 4);
}

TEST_CASE("turnd: the example file has every key and those behind a # are good as well") {
    const room files;
    std::string text = everything_on(text_of(example_file()));
    const auto replace = [&](const std::string& from, const std::string& to) {
        REQUIRE(contains(text, from));
        text.replace(text.find(from), from.size(), to);
    };
    replace("/etc/turnd/rest-secret", files.file("rest-secret", "0123456789abcdef0123456789abcdef\n"));
    replace("/var/lib/turnd/users.db", files.path("users.db"));
    replace("/run/turnd/counters.json", files.path("counters.json"));
    replace("/etc/turnd/fullchain.pem", files.file("fullchain.pem", "a certificate"));
    replace("/etc/turnd/key.pem", files.file("key.pem", "its key"));
    replace("auth = \"credentials\"", ""); // a key and the section of the same name exclude each other

    const configuration c = load({.flags = {}, .variables = {}, .toml = text});
    CHECK(said(c) == "");
    for (const key& k : all_keys()) {
        if (k.path.empty() || k.name == "auth" || k.form == toml_form::listener_member) continue;
        CAPTURE(std::string(k.path));
        const auto at = c.settings.origins.find(k.name);
        REQUIRE(at != c.settings.origins.end());
        CHECK(at->second.from == origin::layer::file);
    }
    CHECK(c.settings.relay_addresses.size() == 2);
    CHECK(c.settings.listeners.front().realm == "other.example.org");
    // What stands in [[listener]] only: certificates, keys and transports.
    const auto tls = std::find_if(c.settings.listeners.begin(), c.settings.listeners.end(),
                                  [](const auto& l) { return l.protocol == turn::transport::tls; });
    REQUIRE(tls != c.settings.listeners.end());
    REQUIRE(tls->certificates.size() == 1);
    CHECK(tls->certificates.front().chain == files.path("fullchain.pem"));
    CHECK(tls->certificates.front().key == files.path("key.pem"));
}

TEST_CASE("turnd: --help names every flag with its default") {
    const command_line line = parse_command_line({"--help"});
    CHECK(line.what == command_line::verb::help);
    for (const key& k : all_keys()) {
        CAPTURE(std::string(k.name));
        CHECK(contains(line.help, k.flag()));
        CHECK(contains(line.help, k.help));
    }
    CHECK(contains(line.help, "[49152-65535]"));
    CHECK(contains(line.help, "check-config"));
    CHECK(contains(line.help, "Exit status"));
}
