/// Whom a DTLS listener shakes hands with: versions, cipher suites, names, certificates, tickets.

#include <doctest/doctest.h>

#include "net/dtls_hello.hpp"
#include "net/dtls_session.hpp"
#include "support/certificates.hpp"
#include "support/tls_client.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

using blob = std::vector<std::byte>;
using net::dtls_session;

const transport_address home = *transport_address::parse("198.51.100.7:40000");

/// A server's session and a client whose bytes lie one behind the other, record by record.
struct connection {
    dtls_session server;
    tls_client client;
    net::datagram_row row{};
    blob heard{};

    connection(const net::tls_context& context, tls_wishes wishes)
        : server(context.new_datagram_session()), client(over_datagrams(std::move(wishes))) {
        const net::dtls_cookies cookies;
        const blob first = client.to_send();
        const auto hello = net::parse_hello(*net::first_record(first));
        REQUIRE(hello);
        client.receive(cookies.ask(*hello, home, time_point()));
        settle();
    }
    static tls_wishes over_datagrams(tls_wishes w) {
        w.datagrams = true;
        return w;
    }
    void settle() {
        blob room(dtls_session::largest_record);
        for (int round = 0; round < 20; ++round) {
            const blob up = client.to_send();
            bytes rest = up;
            for (bytes record = net::take_record(rest); !record.empty(); record = net::take_record(rest)) {
                const std::size_t n = server.receive(record, room, row);
                heard.insert(heard.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
            }
            for (std::size_t i = 0; i < row.size(); ++i) client.receive(row[i]);
            if (up.empty() && row.size() == 0) return;
            row.cut(0);
        }
    }
    [[nodiscard]] bool open() const { return server.now() == dtls_session::state::open && client.open(); }
};

std::shared_ptr<net::tls_context> context_of(std::initializer_list<new_certificate> wanted) {
    const certificate_authority authority;
    const certificate_folder folder;
    std::vector<certificate_files> files;
    for (const new_certificate& c : wanted) files.push_back(folder.files(authority.issue(c), c.subject));
    return *net::tls_context::load(std::move(files));
}

} // namespace

TEST_CASE("RFC 7350 3: DTLS 1.2 with the cipher suite that every client has, and no other version or weaker suite") {
    const auto context = context_of({{.rsa_bits = 2048}});
    const connection usual(*context, {.version = tls_version::v1_2, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
    CHECK(usual.open());
    CHECK(usual.client.version() == "DTLSv1.2");
    CHECK(usual.client.cipher() == "ECDHE-RSA-AES128-GCM-SHA256");
    CHECK_FALSE(usual.client.compressed());

    const connection old(*context, {.version = tls_version::v1_1});
    CHECK(old.client.failure().find("protocol version") != std::string::npos);
    for (const char* weak : {"AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"}) {
        CAPTURE(weak);
        const connection c(*context, {.version = tls_version::v1_2, .ciphers = weak});
        CHECK(c.client.failure().find("handshake failure") != std::string::npos);
        CHECK(c.server.now() == dtls_session::state::failed);
        CHECK(std::string(c.server.failure()) == "no shared cipher");
    }
}

TEST_CASE("RFC 7443 3: ALPN over DTLS is stun.turn when offered and an alert when only others are") {
    const auto context = context_of({{}});
    const connection turn(*context, {.protocols = {"h2", "stun.turn"}});
    CHECK(turn.client.protocol() == "stun.turn");
    const connection discovery(*context, {.protocols = {"stun.nat-discovery"}});
    CHECK(discovery.client.protocol() == "stun.nat-discovery");
    const connection none(*context, {});
    CHECK(none.open());
    CHECK(none.client.protocol().empty());
    const connection other(*context, {.protocols = {"h2"}});
    CHECK(other.client.failure().find("no application protocol") != std::string::npos);
}

TEST_CASE("RFC 6066 3: over DTLS, too, each client gets the certificate of the name it asks for") {
    const auto context = context_of({{.subject = "one", .names = {"one.example.org"}},
                                     {.subject = "two", .names = {"two.example.org"}, .rsa_bits = 2048}});
    CHECK(connection(*context, {.server_name = "two.example.org"}).client.certificate() == "two");
    CHECK(connection(*context, {.server_name = "one.example.org"}).client.certificate() == "one");
    CHECK(connection(*context, {}).client.certificate() == "one");
}

TEST_CASE("RFC 5077 3: a DTLS session is taken up again by its ticket, in another session of the server's") {
    const auto context = context_of({{}});
    const connection first(*context, {});
    REQUIRE(first.open());
    connection again(*context, {.session = first.client.session()});
    CHECK(again.open());
    CHECK(again.client.resumed());
    const auto text = std::as_bytes(std::span(std::string_view("hello")));
    again.client.send(text);
    again.settle();
    CHECK(again.heard == blob(text.begin(), text.end()));
}

TEST_CASE(
    "RFC 6347 4.2.1: a HelloVerifyRequest has the number of its ClientHello, the version of DTLS 1.0 and the cookie") {
    tls_client client({.datagrams = true});
    blob hello_bytes = client.to_send();
    hello_bytes[10] = std::byte{5}; // its number
    const auto record = net::first_record(hello_bytes);
    REQUIRE(record);
    CHECK(net::begins_hello(*record));
    const auto hello = net::parse_hello(*record);
    REQUIRE(hello);
    CHECK(hello->cookie.empty());
    CHECK(hello->random.size() == 32);

    const net::dtls_cookies cookies;
    const time_point now = time_point() + 1h;
    const auto answer = cookies.ask(*hello, home, now);
    const auto r = net::first_record(answer);
    REQUIRE(r);
    CHECK(r->type == 22);
    CHECK(answer[1] == std::byte{0xfe});
    CHECK(answer[2] == std::byte{0xff});
    CHECK(r->numbers[7] == std::byte{5});
    CHECK(r->fragment[0] == std::byte{3});
    CHECK(r->fragment[12] == std::byte{0xfe});
    CHECK(r->fragment[13] == std::byte{0xff});
    CHECK(r->fragment[14] == std::byte{16});

    net::client_hello second = *hello;
    second.cookie = r->fragment.subspan(15);
    CHECK(cookies.good(second, home, now));
    CHECK_FALSE(cookies.good(second, home.with_port(1), now));
    CHECK_FALSE(net::dtls_cookies().good(second, home, now)); // another server's
    CHECK_FALSE(cookies.good(*hello, home, now));

    for (std::size_t size = 0; size < hello_bytes.size(); ++size) // cut anywhere
        CHECK_FALSE(net::first_record(bytes(hello_bytes).first(size)).has_value());
}
