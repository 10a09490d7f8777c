#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

const std::string secret = "north star secret";
const std::string next_secret = "south star secret";

/// A turnd that has started with one file, without its server.
struct started {
    room files{};
    std::string file;
    logger log;
    settings running;
    current_directory users;
    std::vector<std::string> ended{};
    std::vector<std::string> certificate_errors{};
    int looks_at_certificates = 0;
    int drains = 0;
    std::string refused{}; ///< not empty: the server does, and why
    std::uint64_t bandwidth = 0;
    control operations;

    /// `lines`: what the log says, complete when this object has ended.
    explicit started(const std::string& text, std::vector<std::string>* lines = nullptr)
        : file(files.file("turnd.toml", text)), log(log_level::info, log_format::text,
                                                    [lines](std::string_view line) {
                                                        if (lines != nullptr) lines->emplace_back(line.substr(25));
                                                    }),
          running(first()), users(running),
          operations({{{"config", {{file, {}}}}}, {}}, running, users, log,
                     {.reconfigure = [this](const settings& s) -> turn::result<void, turn::start_error> {
                          if (!refused.empty()) return turn::start_error{refused, 0};
                          bandwidth = s.bandwidth_per_allocation;
                          return {};
                      },
                      .end_allocations_of =
                          [this](std::string_view realm, std::string_view name) {
                              ended.push_back(std::string(realm) + "/" + std::string(name));
                          },
                      .reload_certificates =
                          [this] {
                              ++looks_at_certificates;
                              return certificate_errors;
                          },
                      .drain = [this] { ++drains; }}) {}

    settings first() const {
        configuration c = load_configuration({{"config", {{file, {}}}}}, {});
        REQUIRE(said(c) == "");
        return c.settings;
    }

    reload_report reload_as(const std::string& text) {
        files.file("turnd.toml", text);
        return operations.reload();
    }
    [[nodiscard]] bool knows(std::string_view name) const {
        return users.now()->look_up({name, "example.org"}, std::chrono::system_clock::now()).found.has_value();
    }
};

std::string with_users(std::string_view users) {
    return "realm = \"example.org\"\n[auth]\nusers = [" + std::string(users) + "]\n";
}

std::string all_of(const std::vector<change>& changes) {
    std::string text;
    for (const change& c : changes) text += (text.empty() ? "" : "; ") + c.to_string();
    return text;
}

} // namespace

TEST_CASE("turnd: a reload lets new users in and ends the relays of those who are gone or have another password") {
    started turnd(with_users("\"ann:1\", \"bob:2\", \"cid:3\""));
    const auto before = turnd.users.now();
    const auto report = turnd.reload_as(with_users("\"bob:other\", \"cid:3\", \"dan:4\""));
    CHECK(report.good());
    CHECK(all_of(report.changes) == "auth.users: ann, bob, cid -> bob (new password), cid, dan");
    CHECK(!turnd.knows("ann"));
    CHECK(turnd.knows("dan"));
    std::sort(turnd.ended.begin(), turnd.ended.end());
    CHECK(turnd.ended == std::vector<std::string>{"example.org/ann", "example.org/bob"});
    CHECK(before->look_up({"ann", "example.org"}, {}).found); // whoever was asking it may go on
    CHECK(all_of(turnd.operations.reload().changes).empty()); // and that is what runs now
    CHECK(turnd.ended.size() == 2);
}

TEST_CASE("turnd: a reload takes new shared secrets and ends nobody's relay") {
    room files;
    const std::string path = files.file("secret", secret);
    started turnd("realm = \"example.org\"\n[auth]\nrest-secret-files = [\"" + path + "\"]\n");
    const std::string name = "99999999999:ann";
    const auto key_now = [&] {
        const auto answer = turnd.users.now()->look_up({name, "example.org"}, std::chrono::system_clock::now());
        REQUIRE(answer.found);
        return answer.found->key;
    };
    const auto key_of = [&](const std::string& s) {
        return *turn::stun::long_term_key(name, "example.org", turn::stun::rest_password(s, name));
    };
    CHECK(key_now().value == key_of(secret).value);
    files.file("secret", next_secret);
    const auto report = turnd.operations.reload();
    CHECK(all_of(report.changes) == "auth.rest-secret-files: 1 secret -> 1 secret (1 new)");
    CHECK(key_now().value == key_of(next_secret).value);
    CHECK(turnd.ended.empty());
}

TEST_CASE("turnd: an invalid file changes nothing and every problem is named with place and remedy") {
    started turnd(with_users("\"ann:1\""));
    const auto report = turnd.reload_as("realm = \"example.org\"\nthreads = \"many\"\n[auth]\nusers = [\"bob:2\"]\n"
                                        "[log]\nlevel = \"debug\"\nlevl = \"x\"\n");
    CHECK(!report.good());
    CHECK(report.problems.size() == 2);
    CHECK(report.changes.empty());
    CHECK(turnd.knows("ann"));
    CHECK(!turnd.knows("bob"));
    CHECK(turnd.ended.empty());
    CHECK(turnd.looks_at_certificates == 0);
    CHECK(turnd.log.level() == log_level::info);
    // The old settings are those that the next reload compares with.
    CHECK(all_of(turnd.reload_as(with_users("\"ann:1\"")).changes).empty());
}

TEST_CASE("turnd: the log names what was wrong with a reload and what changed with the next") {
    std::vector<std::string> lines;
    std::string file;
    {
        started turnd(with_users("\"ann:1\""), &lines);
        file = turnd.file;
        turnd.reload_as("realm = \"example.org\"\nthreads = -2\n[auth]\nusers = [\"nopassword\"]\n");
        turnd.reload_as("realm = \"example.org\"\nthreads = 3\n[auth]\nusers = [\"ann:1\", \"bob:2\"]\n");
    }
    REQUIRE(lines.size() == 5);
    for (std::size_t i = 0; i < 2; ++i) {
        CAPTURE(lines[i]);
        CHECK(lines[i].starts_with("error   configuration not reloaded; nothing changes file=" + file + " line="));
        CHECK(contains(lines[i], " why="));
        CHECK(contains(lines[i], " remedy="));
        CHECK(!contains(lines[i], "nopassword"));
    }
    CHECK(contains(lines[0] + lines[1], " line=2 key=threads value=-2 "));
    CHECK(lines[2] == "info    setting changed key=auth.users from=ann to=\"ann, bob\"");
    CHECK(lines[3] == "warning setting needs a restart; the old value stays key=threads from=0 to=3");
    CHECK(lines[4] == "info    configuration reloaded file=" + file + " changed=1 need-restart=1");
}

TEST_CASE("turnd: what cannot change live is named and stays and the rest is made all the same") {
    started turnd(with_users("\"ann:1\""));
    const auto report = turnd.reload_as("realm = \"example.org\"\nthreads = 3\ndrain-timeout = \"7s\"\n"
                                        "[auth]\nusers = [\"ann:1\"]\n[log]\nlevel = \"debug\"\n");
    CHECK(all_of(report.changes) ==
          "threads: 0 -> 3 (needs a restart); drain-timeout: 10s -> 7s; log.level: info -> debug");
    CHECK(turnd.log.level() == log_level::debug);
    CHECK(turnd.operations.drain_timeout() == std::chrono::seconds(7));
    CHECK(turnd.looks_at_certificates == 1);
    CHECK(all_of(turnd.operations.reload().changes) == "threads: 0 -> 3 (needs a restart)");
}

TEST_CASE("turnd: limits of the new configuration reach the server, and what it refuses changes nothing") {
    started turnd(with_users("\"ann:1\""));
    const std::string limits = "[limits]\nbandwidth-per-allocation = \"64k\"\n";
    CHECK(all_of(turnd.reload_as(with_users("\"ann:1\"") + limits).changes) ==
          "limits.bandwidth-per-allocation: 0 -> 64000");
    CHECK(turnd.bandwidth == 64000);

    turnd.refused = "allocations-total: none would fit";
    const auto report = turnd.reload_as(with_users("\"bob:2\""));
    REQUIRE(report.problems.size() == 1);
    CHECK(contains(report.problems[0].to_string(), "allocations-total: none would fit"));
    CHECK(report.changes.empty());
    CHECK(turnd.knows("ann"));
    CHECK(!turnd.knows("bob"));
    CHECK(turnd.ended.empty());
    turnd.refused.clear();
    CHECK(all_of(turnd.operations.reload().changes) ==
          "auth.users: ann -> bob; limits.bandwidth-per-allocation: 64000 -> 0");
    CHECK(turnd.bandwidth == 0);
}

TEST_CASE("turnd: users stay in the realm that runs when the file names another one") {
    started turnd(with_users("\"ann:1\""));
    const auto report = turnd.reload_as("realm = \"elsewhere.example\"\n[auth]\nusers = [\"ann:1\", \"bob:2\"]\n");
    CHECK(all_of(report.changes) ==
          "realm: example.org -> elsewhere.example (needs a restart); auth.users: ann -> ann, bob");
    CHECK(turnd.knows("bob"));
    CHECK(turnd.ended.empty());
}

TEST_CASE("turnd: certificates that cannot be used are warned of at a reload") {
    started turnd(with_users("\"ann:1\""));
    turnd.certificate_errors = {"listener 192.0.2.1:5349: a.pem: is empty"};
    const auto report = turnd.operations.reload();
    CHECK(report.good());
    CHECK(report.warnings == std::vector<std::string>{"certificates not reloaded; the old ones stay: listener "
                                                      "192.0.2.1:5349: a.pem: is empty"});
}

TEST_CASE("turnd: a reload that would turn a relay into another service says that it needs a restart") {
    started turnd("listener = [{ address = \"127.0.0.1:3478\" }]\n" + with_users("\"ann:1\""));
    const auto report = turnd.reload_as("listener = [{ address = \"127.0.0.1:3478\" }]\n" + with_users(""));
    REQUIRE(report.warnings.size() == 1);
    CHECK(contains(report.warnings[0], "changes with a restart only"));
    CHECK(!turnd.knows("ann"));
    CHECK(turnd.ended == std::vector<std::string>{"example.org/ann"});
}

TEST_CASE("turnd: a log level set on request lasts until a reload finds the configured one") {
    started turnd(with_users("\"ann:1\""));
    turnd.operations.set_log_level(log_level::debug);
    CHECK(turnd.log.level() == log_level::debug);
    CHECK(all_of(turnd.operations.reload().changes) == "log.level: debug -> info");
    CHECK(turnd.log.level() == log_level::info);
}

TEST_CASE("turnd: systemd is told of a reload before and after it and of signs of life and of the end") {
    const room place;
    const std::string path = place.path("notify");
    const int receiver = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    REQUIRE(::bind(receiver, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const auto heard = [&] {
        std::array<char, 512> text{};
        const auto size = ::recv(receiver, text.data(), text.size(), 0);
        return std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size)));
    };

    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    const service_manager manager;
    CHECK(service_manager::watchdog_interval() == std::chrono::milliseconds(1500));
    manager.ready("serving");
    CHECK(heard() == "READY=1\nSTATUS=serving");
    started(with_users("\"ann:1\"")).operations.reload();
    CHECK(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(heard() == "READY=1");
    manager.alive("3 allocations");
    CHECK(heard() == "WATCHDOG=1\nSTATUS=3 allocations");
    manager.stopping("draining", std::chrono::seconds(600));
    CHECK(heard() == "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=630000000");
    CHECK(heard() == "");
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    CHECK(!service_manager::watchdog_interval());
    manager.ready("to nobody");
    ::close(receiver);
}

TEST_CASE("turnd: a wish to drain reaches whoever waits for signals") {
    started turnd(with_users("\"ann:1\""));
    turnd.operations.drain();
    CHECK(turnd.drains == 1);
}
