/// Which certificate a client gets, ALPN, and resumption.

#include <array>
#include <chrono>
#include <thread>

#include "net/tls_tickets.hpp"
#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using namespace std::chrono_literals;
using test::certificate_authority;
using test::certificate_folder;
using test::tls_version;

namespace {

/// A first connection's session, with a ticket in it.
std::shared_ptr<ssl_session_st> visit(const net::tls_context& context, tls_version version) {
    tls_connection c(context, {.version = version});
    c.settle();
    REQUIRE(c.open());
    CHECK(!c.client.resumed());
    return c.client.session();
}

bool resumes(const net::tls_context& context, const std::shared_ptr<ssl_session_st>& session, tls_version version) {
    tls_connection c(context, {.version = version, .session = session});
    c.settle();
    REQUIRE(c.open());
    c.say(random_bytes(100));
    CHECK(c.client.received() == random_bytes(100));
    return c.client.resumed();
}

} // namespace

TEST_CASE("RFC 6066 3: the server name picks the certificate and the first serves everybody else") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto context = load(
        {folder.files(authority.issue({.subject = "org", .names = {"turn.example.org", "stun.example.org"}}), "a"),
         folder.files(authority.issue({.subject = "net", .names = {"turn.example.net"}}), "b"),
         folder.files(authority.issue({.subject = "wild", .names = {"*.example.com", "example.com"}}), "c"),
         folder.files(authority.issue({.subject = "late", .names = {"turn.example.net", "own.example.com"}}), "d")});
    for (const tls_version version : both) {
        const auto shown_to = [&](const std::string& name) { return shown(*context, name, version); };
        CHECK(shown_to("turn.example.org") == "org");
        CHECK(shown_to("stun.example.org") == "org");
        CHECK(shown_to("turn.example.net") == "net"); // the first of two
        CHECK(shown_to("TURN.Example.NET") == "net");
        CHECK(shown_to("any.example.com") == "wild");
        CHECK(shown_to("own.example.com") == "wild");
        CHECK(shown_to("example.com") == "wild");
        CHECK(shown_to("two.labels.example.com") == "org"); // a wildcard is one label: RFC 6125, 6.4.3
        CHECK(shown_to("unknown.example") == "org");
        CHECK(shown_to("") == "org");
    }
}

TEST_CASE("RFC 6125 6.4.4: names are the subjectAltNames, not the common name") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto context = load({folder.files(authority.issue({.subject = "first"}), "a"),
                               folder.files(authority.issue({.subject = "cn.example.org", .names = {}}), "b")});
    CHECK(shown(*context, "cn.example.org") == "first");
}

TEST_CASE("certificates with different kinds of keys stand side by side") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto ec = folder.files(authority.issue({.subject = "ec", .names = {"ec.example.org"}}), "ec");
    const auto rsa =
        folder.files(authority.issue({.subject = "rsa", .names = {"rsa.example.org"}, .rsa_bits = 2048}), "rsa");
    for (const auto& files : {std::vector{ec, rsa}, std::vector{rsa, ec}}) {
        const auto context = load(files);
        for (const tls_version version : both) {
            CHECK(shown(*context, "ec.example.org", version) == "ec");
            CHECK(shown(*context, "rsa.example.org", version) == "rsa");
        }
    }
}

TEST_CASE("a certificate for an IP address serves clients that name none") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto context = load(
        {folder.files(authority.issue({.subject = "ip", .names = {}, .addresses = {"192.0.2.1", "2001:db8::1"}}))});
    CHECK(shown(*context) == "ip");
}

TEST_CASE("RFC 7443: ALPN agrees on a protocol of ours") {
    const auto context = any_context();
    const auto agreed = [&](std::vector<std::string> offered, tls_version version) {
        tls_connection c(*context, {.version = version, .protocols = std::move(offered)});
        c.settle();
        CHECK(c.open());
        return c.client.protocol();
    };
    for (const tls_version version : both) {
        CHECK(agreed({"stun.turn"}, version) == "stun.turn");
        CHECK(agreed({"stun.nat-discovery"}, version) == "stun.nat-discovery");
        CHECK(agreed({"h2", "stun.nat-discovery", "stun.turn"}, version) == "stun.turn");
        CHECK(agreed({}, version).empty()); // browsers
    }
}

TEST_CASE("RFC 7301 3.2: a client that offers only other protocols is told so and turned away") {
    const auto context = any_context();
    for (const tls_version version : both) {
        tls_connection c(*context, {.version = version, .protocols = {"h2", "http/1.1", "stun.tur"}});
        c.settle();
        CHECK(c.server.now() == state::failed);
        CHECK(c.client.failure() == "tlsv1 alert no application protocol");
    }
}

TEST_CASE("RFC 5077: a ticket resumes on every thread that shares the context") {
    const auto context = any_context();
    for (const tls_version version : both) {
        std::shared_ptr<ssl_session_st> ticket;
        bool resumed = false;
        std::thread([&] { ticket = visit(*context, version); }).join();
        std::thread([&] { resumed = resumes(*context, ticket, version); }).join();
        CHECK(resumed);
    }
}

TEST_CASE("RFC 8446 4.6.1: a client gets one ticket, with the end of the handshake") {
    tls_connection c(*any_context(), {.version = tls_version::v1_3});
    c.to_server(c.client.to_send());
    c.client.receive(std::exchange(c.to_client, {}));
    c.to_server(c.client.to_send());
    CHECK(c.server.now() == state::open);
    CHECK(records(c.to_client).size() == 1);
}

TEST_CASE("a ticket of another listener is no use and no harm") {
    const auto mine = any_context(), other = any_context();
    for (const tls_version version : both) CHECK(!resumes(*mine, visit(*other, version), version));
}

TEST_CASE("a ticket resumes after the certificate has changed") {
    const certificate_authority authority;
    const certificate_folder folder;
    const auto context = load({folder.files(authority.issue({.subject = "old"}))});
    for (const tls_version version : both) {
        const auto ticket = visit(*context, version);
        folder.files(authority.issue({.subject = "new"}));
        REQUIRE(context->reload().value_or(false));
        CHECK(resumes(*context, ticket, version));
    }
    CHECK(shown(*context) == "new");
}

TEST_CASE("RFC 5077 5.5: ticket keys change, and open for one period more") {
    const net::ticket_keys::time_point start{};
    const auto period = net::ticket_keys::period;
    net::ticket_keys keys(start);
    const auto opens = [&](const net::ticket_key& key, net::ticket_keys::time_point at) {
        const auto found = keys.opening(key.name, at);
        if (found) CHECK(found->key.cipher == key.cipher);
        if (found) CHECK(found->key.authentication == key.authentication);
        return found ? (found->replaced ? "replaced" : "current") : "unknown";
    };
    const auto first = keys.sealing(start);
    CHECK(keys.sealing(start + period - 1s).name == first.name);
    CHECK(opens(first, start + period - 1s) == std::string("current"));
    CHECK(opens(first, start + period) == std::string("replaced"));
    const auto second = keys.sealing(start + period);
    CHECK(second.name != first.name);
    CHECK(second.cipher != first.cipher);
    CHECK(second.authentication != first.authentication);
    CHECK(opens(second, start + period) == std::string("current"));
    CHECK(opens(first, start + 2 * period) == std::string("unknown"));
    CHECK(opens(second, start + 2 * period) == std::string("replaced"));
    // Nobody comes for long: the last key is too old at once.
    const auto third = keys.sealing(start + 2 * period);
    CHECK(opens(third, start + 4 * period) == std::string("unknown"));
}
