#include <doctest/doctest.h>

#include "server_setup.hpp"
#include "summary.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;

namespace {

turn::transport_address address(std::string_view text) {
    return *turn::transport_address::parse(text);
}

turn::server_description description() {
    turn::server_description d;
    d.listeners = {{address("192.0.2.1:3478"), turn::transport::udp, "other.example"},
                   {address("[2001:db8::1]:3478"), turn::transport::udp, "example.org"}};
    d.relays = {{address("10.0.0.5:0"), address("192.0.2.1:0"), false},
                {address("[2001:db8::1]:0"), address("[2001:db8::1]:0"), true}};
    d.relay_port_min = 50'000;
    d.relay_port_max = 50'999;
    d.capacity = 2000;
    d.capacity_bound_by = "relay ports";
    d.descriptor_limit = 4096;
    d.shards = 2;
    d.kernel = {.gro = true, .gso = true, .max_segments = 64};
    return d;
}

std::vector<std::string> summary(const settings& s, const turn::server_description& d, machine_limits machine,
                                 log_level level = log_level::info) {
    std::vector<std::string> lines;
    {
        logger to(level, log_format::text, [&](std::string_view line) { lines.emplace_back(line.substr(25)); });
        write_summary(to, s, d, machine);
    }
    return lines;
}

bool has(const std::vector<std::string>& lines, std::string_view wanted) {
    return std::find(lines.begin(), lines.end(), wanted) != lines.end();
}

constexpr machine_limits roomy{8 << 20, 8 << 20};

settings with_user() {
    return load({.flags = {}, .variables = {}, .toml = realm_and_user}).settings;
}

} // namespace

TEST_CASE("turnd: the summary has listeners and relays and capacity and kernel and limits and ends with ready") {
    const auto lines = summary(with_user(), description(), roomy);
    CHECK(has(lines, "info    service is=\"STUN, and TURN with credentials\""));
    CHECK(has(lines, "info    listening transport=udp address=192.0.2.1:3478 realm=other.example"));
    CHECK(has(lines, "info    listening transport=udp address=[2001:db8::1]:3478 realm=example.org"));
    CHECK(has(lines, "info    relay address address=10.0.0.5 advertised=192.0.2.1 ports=50000-50999"));
    CHECK(has(lines, "info    relay address address=2001:db8::1 ports=50000-50999 chosen-by=\"default route\""));
    CHECK(has(lines, "info    capacity allocations=2000 bound-by=\"relay ports\""));
    CHECK(has(lines, "info    data plane backend=sockets threads=2 gro=yes gso=yes max-segments=64"));
    CHECK(has(lines, "info    limits descriptors=4096 rmem-max=8388608 wmem-max=8388608"));
    CHECK(lines.back() == "info    ready listeners=2");
    CHECK(lines.size() == 9);
}

TEST_CASE("turnd: the summary names the certificate files of TLS listeners") {
    const room files;
    const std::string a = files.file("a.pem", "x");
    const std::string b = files.file("b.pem", "x");
    const configuration c = load({.flags = {}, .variables = {}, .toml = realm_and_user + R"(
[[listener]]
address = "0.0.0.0:5349"
transports = ["tcp", "tls"]
certificate = [")" + a + R"(", ")" + b + R"("]
key = [")" + a + R"(", ")" + b + R"("]
[[listener]]
address = "192.0.2.2:5349"
transports = ["tls"]
certificate = ")" + b + R"("
key = ")" + b + "\"\n"});
    REQUIRE(test::said(c) == "");
    turn::server_description d = description();
    d.listeners = {{address("192.0.2.2:5349"), turn::transport::tls, "r"},
                   {address("192.0.2.1:5349"), turn::transport::tls, "r"},
                   {address("192.0.2.1:5349"), turn::transport::tcp, "r"}};
    const auto lines = summary(c.settings, d, roomy);
    CHECK(has(lines, "info    listening transport=tls address=192.0.2.2:5349 realm=r certificate=" + b));
    CHECK(has(lines,
              "info    listening transport=tls address=192.0.2.1:5349 realm=r certificate=\"" + a + ", " + b + "\""));
    CHECK(has(lines, "info    listening transport=tcp address=192.0.2.1:5349 realm=r"));

    // Port 0 is another one when the server runs, and flags have the last word on certificates.
    const configuration any =
        load({.flags = {"--realm", "r", "--user", "ann:x", "--tls-listen", "127.0.0.1:0", "--cert", a, "--key", a},
              .variables = {},
              .toml = ""});
    REQUIRE(test::said(any) == "");
    d.listeners = {{address("127.0.0.1:40000"), turn::transport::tls, "r"}};
    CHECK(has(summary(any.settings, d, roomy),
              "info    listening transport=tls address=127.0.0.1:40000 realm=r certificate=" + a));
}

TEST_CASE("turnd: ready is said at any log level") {
    const auto lines = summary(with_user(), description(), roomy, log_level::error);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "info    ready listeners=2");
}

TEST_CASE("turnd: limits that are small for the capacity are warned about with the remedy") {
    turn::server_description d = description();
    d.capacity = 16'000;
    CHECK(wanted_receive_buffer(16'000, 2) == 4 << 20); // not more than a listener asks for
    CHECK(wanted_receive_buffer(200, 2) == 100 * 2304);
    CHECK(wanted_receive_buffer(0, 0) == 0);
    const auto lines = summary(with_user(), d, {212'992, 212'992});
    CHECK(has(lines, "warning socket buffers are small for 16000 allocations: packets are lost in bursts; set "
                     "net.core.rmem_max to 4194304 (sysctl -w, and /etc/sysctl.d)"));

    d.warnings = {"no IPv6 on this machine"};
    const auto lacking = summary(with_user(), d, roomy);
    CHECK(has(lacking, "warning no IPv6 on this machine"));
}

TEST_CASE("turnd: the summary says why a server does less or more than relaying with credentials") {
    const auto of = [](std::vector<std::string> flags) {
        const configuration c = load({.flags = std::move(flags), .variables = {}, .toml = ""});
        REQUIRE(test::said(c) == "");
        turn::server_description d = description();
        d.relays.clear();
        return summary(c.settings, d, roomy);
    };
    const auto local = of({"--listen", "127.0.0.1:0"});
    CHECK(has(local,
              "info    service is=\"STUN only\" because=\"no credentials are configured and all listeners are on "
              "loopback\""));
    CHECK(local.size() == 6); // neither relay addresses nor a capacity
    CHECK(has(of({"--auth", "none"}), "info    service is=\"STUN only\" because=\"auth is none\""));
    const auto open = of({"--auth", "none", "--allow-anonymous-relay"});
    CHECK(has(open,
              "info    service is=\"STUN, and TURN for everybody without credentials\" because=\"auth is none and "
              "allow-anonymous-relay is set\""));
    CHECK(has(open, "warning everybody who can reach this server can relay through it"));
}

TEST_CASE("turnd: the machine's limits can be read") {
    CHECK(read_machine_limits().largest_receive_buffer > 0);
    CHECK(read_machine_limits().largest_send_buffer > 0);
}

TEST_CASE("turnd: every setting arrives at the server") {
    const room files;
    const std::string pem = files.file("both.pem", "x");
    const configuration c = load({.flags = {}, .variables = {}, .toml = R"(
realm = "example.org"
threads = 3
backend = "sockets"
[[listener]]
address = "192.0.2.1:3478"
[[listener]]
address = "192.0.2.2:3478"
transports = ["udp", "tls"]
certificate = ")" + pem + R"("
key = ")" + pem + R"("
realm = "other.example"
[auth]
users = ["ann:x"]
integrity-failure-code = 431
stale-nonce = "10m"
[relay]
addresses = [{ bind = "10.0.0.5", advertised = "192.0.2.1" }]
ports = "24000-29999"
tcp = true
traffic-class = "copy"
[limits]
allocations-total = 11
allocations-per-user = 12
bandwidth-per-allocation = "22k"
permissions-per-allocation = 13
channels-per-allocation = 14
peer-connections-per-allocation = 23
unauthenticated-bytes-per-second = 15
unauthenticated-exempt = ["198.51.100.0/24"]
connections-without-allocation = 16
connections-per-source = 17
connection-idle-timeout = "18s"
tls-handshake-timeout = "19s"
client-queue-bytes = 200000
client-queue-age = "21ms"
[peers]
policy = "allow-list"
allow = ["10.0.0.0/8"]
deny = ["10.1.0.0/16"]
)"});
    REQUIRE(test::said(c) == "");
    const turn::server_options o = server_options_of(c.settings, {}, nullptr);
    CHECK(o.realm == "example.org");
    CHECK(o.threads == 3);
    CHECK(o.io.kind == turn::net::backend::sockets);
    CHECK(o.io.traffic_class);
    REQUIRE(o.listeners.size() == 4);
    const auto listener = [&](std::size_t i, turn::transport protocol, std::string_view at, std::string_view realm) {
        CAPTURE(i);
        CHECK(o.listeners[i].protocol == protocol);
        CHECK(o.listeners[i].local == address(at));
        CHECK(o.listeners[i].realm == realm);
        CHECK(o.listeners[i].certificates.size() == (protocol == turn::transport::tls ? 1 : 0));
    };
    listener(0, turn::transport::udp, "192.0.2.1:3478", "example.org");
    listener(1, turn::transport::tcp, "192.0.2.1:3478", "example.org");
    listener(2, turn::transport::udp, "192.0.2.2:3478", "other.example");
    listener(3, turn::transport::tls, "192.0.2.2:3478", "other.example");
    CHECK(o.listeners[3].certificates[0].chain == pem);
    CHECK(o.listeners[3].certificates[0].key == pem);
    CHECK(o.connections.without_allocation == 16);
    CHECK(o.connections.per_source == 17);
    CHECK(o.connections.idle == std::chrono::seconds(18));
    CHECK(o.connections.handshake == std::chrono::seconds(19));
    CHECK(o.connections.queue_bytes == 200'000);
    CHECK(o.connections.queue_age == std::chrono::milliseconds(21));
    CHECK(o.relay.relaying);
    CHECK(!o.relay.anonymous);
    CHECK(o.relay.software == "turnd");
    CHECK(o.relay.integrity_failure_code == 431);
    CHECK(o.relay.nonce_lifetime == std::chrono::minutes(10));
    REQUIRE(o.relay_addresses.size() == 1);
    CHECK(o.relay_addresses[0].advertised->ip_to_string() == "192.0.2.1");
    CHECK(o.relay_port_min == 24'000);
    CHECK(o.relay_port_max == 29'999);
    CHECK(o.allocations_total == 11);
    CHECK(o.allocations_per_user == 12);
    CHECK(o.relay.bandwidth_per_allocation == 22'000);
    CHECK(o.relay.permissions_per_allocation == 13);
    CHECK(o.relay.channels_per_allocation == 14);
    CHECK(o.relay.tcp_relay);
    CHECK(o.relay.connections_per_allocation == 23);
    CHECK(o.relay.unauthenticated_bytes_per_second == 15);
    REQUIRE(o.relay.unauthenticated_exempt.size() == 1);
    CHECK(!o.relay.peers.public_peers);
    CHECK(o.relay.peers.allow.size() == 1);
    CHECK(o.relay.peers.deny.size() == 1);

    const auto mode = [](std::vector<std::string> flags) {
        return server_options_of(load({.flags = std::move(flags), .variables = {}, .toml = ""}).settings, {}, nullptr)
            .relay;
    };
    CHECK(!mode({"--auth", "none"}).relaying);
    CHECK(mode({"--auth", "none", "--allow-anonymous-relay"}).anonymous);
    CHECK(mode({"--auth", "none", "--allow-anonymous-relay"}).relaying);
}
