/// An open TLS connection: data both ways, and its ends.

#include <utility>

#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using test::tls_version;

namespace {

/// Data records only: TLS 1.3 hides what else is in records of this type, so tests look at what one call made.
std::vector<std::size_t> data_records(bytes ciphertext) {
    std::vector<std::size_t> sizes;
    for (const tls_record& r : records(ciphertext)) {
        CHECK(r.type == tls_record::application_data);
        sizes.push_back(r.size);
    }
    return sizes;
}

} // namespace

TEST_CASE("what the client says arrives exactly, from 1 byte to 65 539") {
    const auto context = any_context();
    for (const tls_version version : both) {
        tls_connection c(*context, {.version = version});
        c.settle();
        blob said;
        for (const std::size_t size : {1U, 4U, 1200U, 16'383U, 16'384U, 16'385U, 65'539U}) {
            CAPTURE(size);
            const blob part = random_bytes(size);
            said.insert(said.end(), part.begin(), part.end());
            c.client.send(part);
            c.settle(size == 65'539 ? whole : 1000);
            CHECK(c.heard.size() == said.size());
            CHECK(c.heard == said);
        }
        const blob part = random_bytes(65'539);
        said.insert(said.end(), part.begin(), part.end());
        c.client.send(part);
        c.settle(1);
        CHECK(c.heard == said);
    }
}

TEST_CASE("what the server says arrives exactly, from 1 byte to 65 539") {
    const auto context = any_context();
    for (const tls_version version : both) {
        tls_connection c(*context, {.version = version});
        c.settle();
        blob said;
        for (const std::size_t size : {1U, 4U, 1200U, 16'383U, 16'384U, 16'385U, 65'539U}) {
            CAPTURE(size);
            const blob part = random_bytes(size);
            said.insert(said.end(), part.begin(), part.end());
            c.say(part);
            CHECK(c.client.received() == said);
        }
    }
}

TEST_CASE("head, body and padding leave as one TLS record, since some clients take a record for a message") {
    const auto context = any_context();
    const blob head = random_bytes(4), body = random_bytes(1201);
    blob message = head;
    message.insert(message.end(), body.begin(), body.end());
    message.resize(message.size() + 3);
    for (const tls_version version : both) {
        CAPTURE(name_of(version));
        tls_connection c(*context, {.version = version});
        c.settle();
        blob out;
        REQUIRE(c.server.send({.head = head, .body = body, .pad = 3}, out));
        const auto first = data_records(out);
        REQUIRE(first.size() == 1);
        CHECK(first[0] >= message.size() + 16);     // AEAD's tag
        CHECK(first[0] <= message.size() + 16 + 8); // TLS 1.2: its nonce; TLS 1.3: the type

        // Appended to what is there; what an earlier, larger message held does not come back.
        REQUIRE(c.server.send({.head = head, .pad = 1}, out));
        REQUIRE(c.server.send({.body = body}, out));
        CHECK(data_records(out).size() == 3);
        c.client.receive(out);
        blob expected = message;
        expected.insert(expected.end(), head.begin(), head.end());
        expected.push_back({});
        expected.insert(expected.end(), body.begin(), body.end());
        CHECK(c.client.received() == expected);
    }
}

TEST_CASE("a message over 16 KiB takes as many records as it must") {
    tls_connection c(*any_context());
    c.settle();
    for (const auto& [size, count] : {std::pair{16'384, 1}, {16'385, 2}, {65'535, 4}, {65'539, 5}}) {
        blob out;
        REQUIRE(c.server.send({.body = random_bytes(static_cast<std::size_t>(size))}, out));
        CHECK(data_records(out).size() == static_cast<std::size_t>(count));
        c.client.receive(out);
    }
    CHECK(c.client.failure().empty());
}

TEST_CASE("several records that arrive together are all read") {
    tls_connection c(*any_context());
    c.settle();
    blob all;
    for (int i = 0; i < 100; ++i) {
        const blob part = random_bytes(static_cast<std::size_t>(i) + 1);
        c.client.send(part);
        all.insert(all.end(), part.begin(), part.end());
    }
    c.settle();
    CHECK(c.heard == all);
}

TEST_CASE("RFC 8446 6.1: a client that closes is heard to the end, and answered") {
    const auto context = any_context();
    for (const tls_version version : both) {
        tls_connection c(*context, {.version = version});
        c.settle();
        c.client.send(to_blob("goodbye"));
        c.client.close();
        c.settle();
        CHECK(c.heard == to_blob("goodbye"));
        CHECK(c.server.now() == state::closed);
        CHECK(c.server.failure() == nullptr);
        CHECK(!c.client.closed());
        c.server.close(c.to_client);
        CHECK(!c.to_client.empty());
        c.settle();
        CHECK(c.client.closed());

        c.to_server(random_bytes(100)); // what comes later is nobody's
        CHECK(c.heard == to_blob("goodbye"));
        CHECK(c.to_client.empty());
        CHECK(c.server.now() == state::closed);
    }
}

TEST_CASE("RFC 8446 6.1: a server that closes says so once, and hears what the client still has to say") {
    const auto context = any_context();
    for (const tls_version version : both) {
        tls_connection c(*context, {.version = version});
        c.settle();
        c.say(to_blob("goodbye"));
        c.server.close(c.to_client);
        const std::size_t said = c.to_client.size();
        CHECK(records(c.to_client).size() == 1);
        c.server.close(c.to_client);
        CHECK(c.to_client.size() == said);
        c.client.send(to_blob("wait")); // crosses the close_notify
        c.settle();
        CHECK(c.client.received() == to_blob("goodbye"));
        CHECK(c.client.closed());
        CHECK(c.heard == to_blob("wait"));
        CHECK(c.server.now() == state::open);
        c.client.close();
        c.settle();
        CHECK(c.server.now() == state::closed);
    }
}

TEST_CASE("a record changed on the way fails the session with an alert and what came before it counts") {
    const auto context = any_context();
    for (const tls_version version : both) {
        tls_connection c(*context, {.version = version});
        c.settle();
        c.client.send(to_blob("true"));
        blob up = c.client.to_send();
        c.client.send(to_blob("changed"));
        const blob second = c.client.to_send();
        up.insert(up.end(), second.begin(), second.end());
        up.back() ^= std::byte{1};
        c.to_server(up);
        CHECK(c.heard == to_blob("true"));
        CHECK(c.server.now() == state::failed);
        CHECK(!c.to_client.empty());
        c.settle();
        CHECK(c.client.failure() == "sslv3 alert bad record mac");
    }
}

TEST_CASE("sessions do not disturb each other: one fails, its neighbour goes on") {
    const auto context = any_context();
    tls_connection ann(*context), bob(*context);
    ann.settle();
    bob.to_server(random_bytes(300));
    REQUIRE(bob.server.now() == state::failed);
    ann.client.send(to_blob("still here"));
    ann.settle();
    CHECK(ann.heard == to_blob("still here"));
    ann.say(to_blob("so am I"));
    CHECK(ann.open());
}

TEST_CASE("an error that other code left in OpenSSL's queue is no error of the session") {
    const auto context = any_context();
    tls_connection c(*context);
    test::leave_openssl_error();
    c.to_server(c.client.to_send());
    CHECK(c.server.now() == state::handshaking);
    c.settle();
    REQUIRE(c.open());
    c.client.send(to_blob("request"));
    const blob up = c.client.to_send();
    test::leave_openssl_error();
    c.to_server(up);
    CHECK(c.heard == to_blob("request"));
    test::leave_openssl_error();
    CHECK(c.server.send({.body = to_blob("answer")}, c.to_client));
    test::leave_openssl_error();
    c.server.close(c.to_client);
    CHECK(c.server.now() == state::open);
    c.settle();
    CHECK(c.client.received() == to_blob("answer"));
    CHECK(c.client.closed());
}

TEST_CASE("RFC 8446 4.6.3: a client may change its keys and have the server change its own") {
    tls_connection c(*any_context(), {.version = tls_version::v1_3});
    c.settle();
    c.client.update_key();
    c.client.send(to_blob("new key"));
    c.to_server(c.client.to_send());
    CHECK(c.heard == to_blob("new key"));
    REQUIRE(c.server.send({.body = to_blob("mine, too")}, c.to_client));
    CHECK(records(c.to_client).size() == 2); // its KeyUpdate goes ahead
    c.settle();
    CHECK(c.client.received() == to_blob("mine, too"));
}
