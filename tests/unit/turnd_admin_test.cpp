#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "admin_host.hpp"
#include "admin_target.hpp"
#include "client_count.hpp"
#include "embedded_files.hpp"
#include "observer_list.hpp"
#include "turnd_admin_room.hpp"

using namespace turnd;
using namespace turnd::test;
using nlohmann::json;

namespace {

admin_world quiet_world() {
    admin_world world;
    world.numbers = some_numbers;
    world.draining = [] { return false; };
    return world;
}

turn::transport_address at(std::string_view text) {
    return *turn::transport_address::parse(text);
}

} // namespace

TEST_CASE("turnd: the status has the fields that operators know, in the units of their names") {
    const admin_answer found = asked(quiet_world(), "/api/v1/status");
    CHECK(found.status == 200);
    CHECK(found.content_type == "application/json");
    const json status = json::parse(found.body);
    CHECK(status["version"] == "1.2.3");
    CHECK(status["started"] == "2026-11-21T01:34:34Z");
    CHECK(status["time"] == "2026-11-21T01:36:04Z");
    CHECK(status["uptimeSeconds"] == 90);
    CHECK(status["draining"] == false);
    CHECK(status["listeners"][0] ==
          json{{"address", "192.0.2.1"}, {"port", 3478}, {"transport", "udp"}, {"realm", "example.org"}});
    CHECK(status["listeners"][1]["address"] == "2001:db8::1");
    CHECK(status["listeners"][1]["realm"] == "we \"love\" <b>\\");
    CHECK(status["relayAddresses"] == json::array({{{"address", "10.0.0.5"}, {"advertised", "192.0.2.1"}}}));
    CHECK(status["activeClients"] == 3);
    CHECK(status["numAllocations"] == 5);
    CHECK(status["relays"] == json{{"udp", 3}, {"tcp", 1}, {"tls", 1}, {"dtls", 0}});
    CHECK(status["tcpRelays"] == json{{"relays", 1},
                                      {"openPeerConnections", 3},
                                      {"pendingPeerConnections", 2},
                                      {"bytesUp", 4000},
                                      {"bytesDown", 5000}});
    CHECK(status["capacity"] == 6000);
    CHECK(status["ports"] == json{{"min", 24000}, {"max", 29999}, {"used", 6}, {"free", 5994}, {"peak", 50}});
    CHECK(status["connections"] == json{{"tcp", 13}, {"tls", 14}, {"dtls", 2}, {"withoutAllocation", 0}});
    CHECK(status["traffic"]["relayedUp"] == json{{"packets", 90}, {"bytes", 9000}});
    CHECK(status["traffic"]["fromPeers"] == json{{"packets", 200}, {"bytes", 20'000}});
    CHECK(status["drops"]["up"] ==
          json{{"no-permission", 4}, {"send-refused", 2}, {"no-session", 3}}); // of the relay and of its sockets
    CHECK(status["drops"]["down"] == json{{"slow-reader", 6}});
    CHECK(status["drops"]["control"] == json{{"socket-buffer-full", 1}});
    CHECK(status["refused"] == json{{"bad-password", 17}});
}

TEST_CASE("turnd: a server that drains is healthy but not ready") {
    admin_world world = quiet_world();
    CHECK(asked(world, "/healthz").status == 200);
    CHECK(asked(world, "/readyz").status == 200);
    world.draining = [] { return true; };
    CHECK(asked(world, "/healthz").status == 200);
    CHECK(asked(world, "/readyz").status == 503);
}

TEST_CASE("turnd: the HTTP service knows its paths, methods and parameters and explains the rest in JSON") {
    const admin_world world = quiet_world();
    const auto error_of = [](const admin_answer& a) { return json::parse(a.body)["error"].get<std::string>(); };
    for (const char* path :
         {"/nothing", "/api/v1", "/api/v1/status/", "/healthz/x", "//", "/..", "/%2e%2e/etc/passwd"}) {
        CAPTURE(path);
        const admin_answer no = asked(world, path);
        CHECK(no.status == 404);
        CHECK(error_of(no) == "not-found");
    }
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""}) {
        CAPTURE(method);
        const admin_answer no = asked(world, "/healthz", method);
        CHECK(no.status == 405);
        CHECK(error_of(no) == "wrong-method");
        CHECK(no.headers == std::vector<std::pair<std::string, std::string>>{{"Allow", "GET, HEAD"}});
        CHECK(asked(world, "/", method).status == 405);
    }
    CHECK(asked(world, "/healthz", "HEAD").status == 200);
    CHECK(error_of(asked(world, "/healthz?verbose=1")) == "unknown-parameter");
    CHECK(error_of(asked(world, "/healthz?%00=1")) == "unknown-parameter");
    CHECK(error_of(asked(world, "/healthz?a=1&a=2")) == "bad-target");
    CHECK(error_of(asked(world, "/healthz?=1")) == "bad-target");
    CHECK(error_of(asked(world, "/%4")) == "bad-target");
    CHECK(error_of(asked(world, "/%zz")) == "bad-target");
    CHECK(error_of(asked(world, "*")) == "bad-target");
    CHECK(error_of(asked(world, "")) == "bad-target");
    const admin_answer no = answer(world, {.method = "GET", .target = "/healthz", .has_body = true});
    CHECK(no.status == 400);
    CHECK(error_of(no) == "body");
}

TEST_CASE("turnd: what strangers put into a URL comes back as harmless text") {
    const admin_world world = quiet_world();
    for (const std::string text : {"%00", "%ff%fe", "%0d%0aSet-Cookie:%20a=b", "%s%n", "'; DROP TABLE users;--",
                                   "<script>", "%22%5c", "%e2%80%ae", "\xff\xfe"}) {
        CAPTURE(text);
        for (const std::string& target :
             {"/" + text, "/healthz?" + text, "/healthz?x=" + text, "/healthz?" + text + "=x"}) {
            const admin_answer no = asked(world, target);
            CHECK(no.status >= 400);
            CHECK(no.status < 500);
            CHECK(no.content_type == "application/json"); // with nosniff no browser takes it for HTML
            CHECK(json::accept(no.body));
            for (const char c : no.body.substr(0, no.body.size() - 1)) CHECK(static_cast<unsigned char>(c) >= 0x20);
        }
    }
}

TEST_CASE("turnd: a target is taken apart, and a text comes back out of a query as it went in") {
    const auto target = parse_target("/a%20b/c+d?user=x%2By+z&empty=&alone#f");
    REQUIRE(target);
    CHECK(target->path == "/a b/c+d");
    CHECK(*target->find("user") == "x+y z");
    CHECK(*target->find("empty") == "");
    CHECK(*target->find("alone") == "");
    CHECK(target->find("f") == nullptr);

    std::string every_byte;
    for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
    const auto back = parse_target("/?user=" + percent_encode(every_byte));
    REQUIRE(back);
    CHECK(*back->find("user") == every_byte);
}

TEST_CASE("turnd: files of the status page have a type and an ETag, and are not sent twice") {
    const admin_world world = quiet_world();
    REQUIRE(!embedded_files().empty());
    for (const embedded_file& file : embedded_files()) {
        CAPTURE(std::string(file.path));
        const admin_answer first = asked(world, std::string(file.path));
        CHECK(first.status == 200);
        CHECK(first.body == file.bytes);
        CHECK(first.content_type == file.content_type);
        REQUIRE(first.headers.size() == 1);
        CHECK(first.headers[0].first == "ETag");
        const admin_answer again = answer(
            world, {.method = "GET", .target = std::string(file.path), .if_none_match = first.headers[0].second});
        CHECK(again.status == 304);
        CHECK(again.body.empty());
    }
    const embedded_file* index = find_embedded_file("/");
    REQUIRE(index != nullptr);
    CHECK(index->content_type == "text/html; charset=utf-8");
    CHECK(index->bytes.starts_with("<!"));
    CHECK(index->bytes.ends_with("\n"));
    CHECK(find_embedded_file("/index.html") == nullptr);
}

TEST_CASE("turnd: a Host is ours when it is an address that leads here, since only names can be pointed here") {
    for (const char* good : {"localhost", "localhost:9641", "LocalHost:1", "127.0.0.1", "127.0.0.1:9641", "127.9.9.9",
                             "[::1]", "[::1]:9641", "192.0.2.1", "192.0.2.1:80"}) {
        CAPTURE(good);
        CHECK(is_own_host(good, at("192.0.2.1:9641")));
    }
    for (const char* bad : {"", "evil.example", "localhost.evil.example", "localhos", "127.0.0.1.evil.example",
                            "192.0.2.2:9641", "[2001:db8::1]", "192.0.2.1, evil.example", "2130706433", "0x7f.1"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_own_host(bad, at("192.0.2.1:9641")));
    }
    CHECK(is_own_host("192.0.2.2:9641", at("0.0.0.0:9641"))); // whichever of this machine's it is
    CHECK_FALSE(is_own_host("evil.example", at("0.0.0.0:9641")));
}

TEST_CASE("turnd: clients are counted by their address, however many allocations each has") {
    client_count clients;
    observer_list all({&clients});
    const auto told = [&](std::string_view client, bool begins) {
        const turn::allocation_info info{.client = at(client)};
        if (begins)
            all.allocation_created(info);
        else
            all.allocation_ended(info, {}, turn::allocation_end::expired);
    };
    told("192.0.2.1:1000", true);
    told("192.0.2.1:1001", true);
    told("[2001:db8::1]:1000", true);
    CHECK(clients.value() == 2);
    told("192.0.2.1:1000", false);
    CHECK(clients.value() == 2);
    told("192.0.2.1:1001", false);
    CHECK(clients.value() == 1);
    told("192.0.2.1:1001", false); // nobody's
    told("[2001:db8::1]:1000", false);
    CHECK(clients.value() == 0);
}
