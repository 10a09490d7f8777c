#include <doctest/doctest.h>

#include "check_config.hpp"
#include "support/certificates.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;
using namespace std::chrono_literals;

namespace {

const machine roomy{.descriptors = 1'000'000, .cores = 4, .buffers = {100'000'000, 100'000'000}};

/// What check-config says beyond load(): problems and then warnings, one a line.
std::string in_depth(std::vector<std::string> flags, std::string_view name = {}, const machine& on = roomy) {
    flags.insert(flags.end(), {"--realm=example.org", "--user=ann:secret", "--relay-address=10.0.0.1=198.18.0.1"});
    configuration c = load({.flags = flags, .variables = {}, .toml = {}});
    REQUIRE(said(c) == "");
    check_in_depth(c, on, name, std::chrono::system_clock::now());
    std::string text = said(c);
    for (const std::string& warning : c.warnings) text += (text.empty() ? "" : "\n") + warning;
    return text;
}

/// The same with a relay address of its own.
std::string relaying(const std::string& address, std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--realm=example.org", "--user=ann:secret", "--relay-address=" + address});
    configuration c = load({.flags = flags, .variables = {}, .toml = {}});
    if (said(c) != "") return said(c); // some cannot be right whatever else is
    check_in_depth(c, roomy, {}, std::chrono::system_clock::now());
    return said(c) + (c.warnings.empty() ? "" : "warning: " + c.warnings.front());
}

/// TLS with a certificate that is made for the test.
struct secured {
    turn::test::certificate_authority authority{};
    turn::test::certificate_folder folder{};

    [[nodiscard]] std::string check_new(const turn::test::new_certificate& made, std::string_view name = {}) const {
        return check(folder.files(authority.issue(made)), name);
    }
    [[nodiscard]] static std::string check(const turn::certificate_files& files, std::string_view name = {}) {
        return in_depth({"--tls-listen=127.0.0.1:5349", "--cert=" + files.chain, "--key=" + files.key}, name);
    }
};

} // namespace

TEST_CASE("check-config: a configuration without certificates on a large machine has nothing to be said about it") {
    CHECK(in_depth({}) == "");
}

TEST_CASE("check-config: a certificate has to be for the name that clients use") {
    const secured tls;
    CHECK(!contains(tls.check_new({}, "turn.example.org"), "it is not for"));
    CHECK(
        contains(tls.check_new({}, "other.example.org"),
                 "it is not for other.example.org, but for turn.example.org; order one for the name that clients use"));
    CHECK(!contains(tls.check_new({.names = {"*.example.org"}}, "relay.example.org"), "it is not for"));
    CHECK(contains(tls.check_new({.names = {"*.example.org"}}, "a.b.example.org"), "it is not for"));
    CHECK(!contains(tls.check_new({.names = {}, .addresses = {"192.0.2.1"}}, "192.0.2.1"), "it is not for"));
    CHECK(contains(tls.check_new({.names = {}, .addresses = {"192.0.2.1"}}, "192.0.2.2"), "but for 192.0.2.1"));
    CHECK(!contains(tls.check_new({}), "it is not for")); // nobody asked
}

TEST_CASE("check-config: a certificate that has expired is a problem and one that will soon a warning") {
    const secured tls;
    CHECK(contains(tls.check_new({.begins = -48h, .ends = -24h}), "--cert"));
    CHECK(contains(tls.check_new({.begins = -48h, .ends = -24h}), "it expired on "));
    CHECK(contains(tls.check_new({.begins = 24h, .ends = 48h}), "is good from "));
    CHECK(contains(tls.check_new({.ends = 7 * 24h}), "expires on "));
    CHECK(!contains(tls.check_new({.ends = 90 * 24h}), "expire"));
}

TEST_CASE("check-config: a chain with a gap is told with the certificate that is missing") {
    const secured tls;
    const auto issued = tls.authority.issue();
    const std::string own = issued.chain.substr(0, issued.chain.find("-----END CERTIFICATE-----") + 26);
    const turn::certificate_files alone{tls.folder.file("alone.pem", own), tls.folder.file("alone.key", issued.key)};
    const std::string said = secured::check(alone);
    CHECK(contains(said, "alone.pem: the certificate of its issuer /"));
    CHECK(contains(said, "is neither in the file nor trusted here"));
    const turn::certificate_files whole{tls.folder.file("whole.pem", issued.chain + tls.authority.root()),
                                        tls.folder.file("whole.key", issued.key)};
    CHECK(contains(secured::check(whole), "whole.pem: its root "));
}

TEST_CASE("check-config: a key of another certificate and files that are none are problems") {
    const secured tls;
    const auto one = tls.folder.files(tls.authority.issue(), "one");
    const auto other = tls.folder.files(tls.authority.issue(), "other");
    CHECK(contains(secured::check({one.chain, other.key}), "is not the key of the certificate in"));
    CHECK(contains(secured::check({one.key, one.key}), "holds no certificate"));
    CHECK(contains(secured::check({tls.folder.file("x.pem", "text"), one.key}), "it is not PEM"));
}

TEST_CASE("check-config: ports that meet are named") {
    CHECK(contains(in_depth({"--listen=0.0.0.0:9641", "--status-listen=127.0.0.1:9641"}),
                   "the tcp listener 0.0.0.0:9641 is there; choose another port"));
    CHECK(in_depth({"--listen=127.0.0.2:9641", "--status-listen=127.0.0.1:9641"}) == "");
    CHECK(in_depth({"--listen=[::1]:9641", "--status-listen=127.0.0.1:9641"}) == "");
    CHECK(contains(in_depth({"--listen=10.0.0.1:50000"}), "listener 10.0.0.1:50000 is among the relay ports"));
    CHECK(contains(in_depth({"--listen=0.0.0.0:50000"}), "is among the relay ports"));
    CHECK(in_depth({"--listen=10.0.0.2:50000"}) == "");
    CHECK(in_depth({"--listen=10.0.0.1:50000", "--relay-ports=60000-61000"}) == "");
}

TEST_CASE("check-config: an advertised address that cannot be right is a problem") {
    for (const char* address : {"10.0.0.1=127.0.0.1", "10.0.0.1=169.254.1.1", "10.0.0.1=224.0.0.1",
                                "10.0.0.1=255.255.255.255", "10.0.0.1=0.1.2.3", "fd00::1=fe80::1", "fd00::1=::1"}) {
        CAPTURE(address);
        CHECK(contains(relaying(address), "--relay-address = "));
    }
    CHECK(contains(relaying("10.0.0.1=192.0.2.1"), "warning: relay address 10.0.0.1=192.0.2.1: addresses for"));
    CHECK(contains(relaying("198.18.0.1=10.0.0.1"), "is it the other way round?"));
    CHECK(relaying("127.0.0.1") == ""); // for trying out
    CHECK(relaying("10.0.0.1=10.9.0.1") == "");
    CHECK(relaying("198.18.0.1") == "");
    CHECK(relaying("10.0.0.1=127.0.0.1", {"--listen=127.0.0.1:3478"}) != "");
}

TEST_CASE("check-config: limits that ports cannot hold are a problem and what the machine lacks a warning") {
    CHECK(contains(in_depth({"--relay-ports=5000-5999", "--allocations-total=1001"}),
                   "the relay ports 5000-5999 on 1 address are fewer"));
    CHECK(in_depth({"--relay-ports=5000-5999", "--allocations-total=1000"}) == "");

    machine small = roomy;
    small.descriptors = 1024;
    CHECK(contains(in_depth({"--allocations-total=1000"}, {}, small), "1024 descriptors are not enough for 1000"));
    small.descriptors = 0; // unknown
    CHECK(in_depth({}, {}, small) == "");
    small = roomy;
    small.buffers.largest_receive_buffer = 212'992;
    CHECK(contains(in_depth({"--allocations-total=16000", "--threads=2"}, {}, small),
                   "set net.core.rmem_max to 4194304"));
    CHECK(in_depth({"--allocations-total=100", "--threads=2"}, {}, small) == "");
}

TEST_CASE("check-config: --name belongs to check-config alone") {
    const command_line line = parse_command_line({"check-config", "--name", "turn.example.org", "--realm=r"});
    CHECK(line.problems.empty());
    CHECK(line.what == command_line::verb::check_config);
    CHECK(line.name == "turn.example.org");
    CHECK(!parse_command_line({"--name", "turn.example.org"}).problems.empty());
}
