/// How a TLS connection begins, and whom it turns away.

#include <array>
#include <string>

#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using test::tls_version;

namespace {

/// Why it failed.
std::string said(const net::tls_session& s) {
    return s.failure() ? s.failure() : "nothing";
}

} // namespace

TEST_CASE("RFC 8489 6.2.3: TLS 1.2 and TLS 1.3 are spoken, however TCP cuts the handshake") {
    const auto context = any_context();
    for (const tls_version version : both) {
        for (const std::size_t piece : {whole, std::size_t{1}, std::size_t{7}}) {
            CAPTURE(name_of(version));
            CAPTURE(piece);
            tls_connection c(*context, {.version = version});
            CHECK(c.server.now() == state::handshaking);
            c.settle(piece);
            CHECK(c.open());
            CHECK(c.client.version() == name_of(version));
            CHECK(c.client.failure().empty());
            CHECK(c.server.failure() == nullptr);

            c.client.send(to_blob("request"));
            c.settle(piece);
            CHECK(c.heard == to_blob("request"));
            CHECK(c.server.send({.body = to_blob("answer")}, c.to_client));
            c.settle(piece);
            CHECK(c.client.received() == to_blob("answer"));
        }
    }
}

TEST_CASE("of the versions a client has the newest is taken") {
    tls_connection c(*any_context());
    c.settle();
    CHECK(c.client.version() == "TLSv1.3");
}

TEST_CASE("RFC 8996: TLS 1.1 is refused with an alert that says so") {
    tls_connection c(*any_context(), {.version = tls_version::v1_1});
    c.settle();
    CHECK(c.server.now() == state::failed);
    CHECK(said(c.server) == "unsupported protocol");
    CHECK(c.client.failure() == "tlsv1 alert protocol version");
}

TEST_CASE("RFC 9325 4.2: TLS 1.2 without forward secrecy or AEAD is refused") {
    const auto context = any_context();
    for (const char* const old :
         {"ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"}) {
        CAPTURE(old);
        tls_connection c(*context, {.version = tls_version::v1_2, .ciphers = old});
        c.settle();
        CHECK(said(c.server) == "no shared cipher");
        CHECK(c.client.failure() == "sslv3 alert handshake failure");
    }
    tls_connection modern(*context, {.version = tls_version::v1_2, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"});
    modern.settle();
    CHECK(modern.open());
}

TEST_CASE("RFC 8489 6.2.3: the cipher suite that every client has is taken") {
    const test::certificate_authority authority;
    const test::certificate_folder folder;
    const auto context = load({folder.files(authority.issue({.rsa_bits = 2048}))});
    tls_connection c(*context, {.version = tls_version::v1_2, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
    c.settle();
    CHECK(c.open());
    CHECK_FALSE(c.client.compressed());
}

TEST_CASE("the server's order of ciphers counts, but for clients that prefer ChaCha20 for want of AES instructions") {
    const auto context = any_context();
    tls_connection weaker_first(*context, {.version = tls_version::v1_2,
                                           .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"});
    weaker_first.settle();
    CHECK(weaker_first.client.cipher() == "ECDHE-ECDSA-AES256-GCM-SHA384");
    tls_connection phone(*context, {.version = tls_version::v1_2,
                                    .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"});
    phone.settle();
    CHECK(phone.client.cipher() == "ECDHE-ECDSA-CHACHA20-POLY1305");
}

TEST_CASE("a client that checks finds the chain up to its root and the name") {
    const test::certificate_authority authority;
    const test::certificate_folder folder;
    const auto context = load({folder.files(authority.issue({.names = {"turn.example.org"}}))});
    tls_connection ann(*context, {.server_name = "turn.example.org", .trusted = authority.root()});
    ann.settle();
    CHECK(ann.open());

    const test::certificate_authority stranger;
    tls_connection bob(*context, {.server_name = "turn.example.org", .trusted = stranger.root()});
    bob.settle();
    CHECK(bob.client.failure() == "certificate verify failed");
    CHECK(bob.server.now() == state::failed);
    CHECK_FALSE(bob.server.established());
    CHECK(said(bob.server) == "tlsv1 alert unknown ca"); // what an operator has to know
}

TEST_CASE("a request that comes with the end of the handshake is read at once") {
    tls_connection c(*any_context(), {.version = tls_version::v1_3});
    c.to_server(c.client.to_send());
    c.client.receive(std::exchange(c.to_client, {}));
    REQUIRE(c.client.open());
    c.client.send(to_blob("impatient"));
    c.to_server(c.client.to_send()); // Finished and the request
    CHECK(c.server.now() == state::open);
    CHECK(c.heard == to_blob("impatient"));
}

TEST_CASE("a client that leaves with the end of the handshake has shaken hands") {
    tls_connection c(*any_context(), {.version = tls_version::v1_3});
    c.to_server(c.client.to_send());
    CHECK_FALSE(c.server.established());
    c.client.receive(std::exchange(c.to_client, {}));
    REQUIRE(c.client.open());
    c.client.close();
    c.to_server(c.client.to_send()); // Finished and close_notify
    CHECK(c.server.now() == state::closed);
    CHECK(c.server.established());
}

TEST_CASE("closing in the middle of a handshake says nothing") {
    tls_connection c(*any_context());
    c.server.close(c.to_client);
    CHECK(c.to_client.empty());
    c.to_server(c.client.to_send());
    c.to_client.clear();
    c.server.close(c.to_client);
    CHECK(c.to_client.empty());
}

TEST_CASE("a ClientHello of garbage fails with an alert") {
    tls_connection c(*any_context());
    blob hello = random_bytes(205);
    // A handshake record of 200 bytes with a ClientHello of 196.
    constexpr std::array frame{0x16, 0x03, 0x01, 0x00, 0xc8, 0x01, 0x00, 0x00, 0xc4};
    for (std::size_t i = 0; i < frame.size(); ++i) hello[i] = static_cast<std::byte>(frame[i]);
    c.to_server(hello);
    CHECK(c.server.now() == state::failed);
    CHECK(c.server.failure() != nullptr);
    const auto answer = records(c.to_client);
    REQUIRE(answer.size() == 1);
    CHECK(answer[0].type == tls_record::alert);
    CHECK(c.to_client[5] == std::byte{2}); // fatal

    c.to_client.clear();
    const std::string why = said(c.server);
    c.to_server(hello);
    CHECK(c.to_client.empty());
    CHECK(said(c.server) == why);
    c.server.close(c.to_client);
    CHECK(c.to_client.empty());
}

TEST_CASE("what does not even look like TLS fails at once and without an answer it could not read") {
    const auto context = any_context();
    for (const blob& first : {to_blob("GET / HTTP/1.1\r\n\r\n"), random_bytes(20), blob(2000)}) {
        tls_connection c(*context);
        c.to_server(first);
        CHECK(c.server.now() == state::failed);
        CHECK(c.server.failure() != nullptr);
        CHECK(c.to_client.empty());
    }
}

TEST_CASE("TLS 1.2: renegotiation is refused, the connection goes on") {
    tls_connection c(*any_context(), {.version = tls_version::v1_2});
    c.settle();
    c.client.renegotiate();
    c.to_server(c.client.to_send());
    CHECK(c.server.now() == state::open);
    const auto said = records(c.to_client);
    REQUIRE(said.size() == 1);
    CHECK(said[0].type == tls_record::alert);
    c.settle();
    CHECK(c.client.failure() == "no renegotiation");
}

TEST_CASE("a session outlives its context, even in the handshake") {
    auto context = any_context();
    tls_connection c(*context, {.server_name = "turn.example.org"});
    context.reset();
    c.settle();
    REQUIRE(c.open());
    c.say(to_blob("still here"));
    CHECK(c.client.received() == to_blob("still here"));
}
