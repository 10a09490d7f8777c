#include <doctest/doctest.h>

#include "net/tls_hello_guard.hpp"
#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using net::tls_hello_guard;

namespace {

constexpr unsigned change_cipher_spec = 20;
constexpr std::size_t largest = tls_hello_guard::largest_hello;

blob record(unsigned type, const blob& content) {
    blob all{std::byte(type), std::byte{3}, std::byte{3}, std::byte(content.size() >> 8),
             std::byte(content.size() & 0xff)};
    all.insert(all.end(), content.begin(), content.end());
    return all;
}

/// The header of a handshake message (1: ClientHello), and so much of it.
blob message(unsigned type, std::size_t announced, std::size_t there) {
    blob all{std::byte(type), std::byte(announced >> 16), std::byte(announced >> 8 & 0xff),
             std::byte(announced & 0xff)};
    all.resize(all.size() + there, std::byte{1});
    return all;
}

blob operator+(blob a, const blob& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

bool admitted(const blob& stream, std::size_t piece = whole, bool tls_1_2 = false) {
    tls_hello_guard guard;
    for (bytes rest = stream; !rest.empty();) {
        const bytes part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        if (!guard.admits(part, tls_1_2)) return false;
    }
    return true;
}

} // namespace

TEST_CASE("a ClientHello may announce 16 384 bytes and no more, in whatever records and pieces that comes") {
    for (const std::size_t piece : {whole, std::size_t{1}, std::size_t{3}}) {
        CAPTURE(piece);
        CHECK(admitted(record(tls_record::handshake, message(1, largest, 100)), piece));
        CHECK_FALSE(admitted(record(tls_record::handshake, message(1, largest + 1, 0)), piece));
        CHECK_FALSE(admitted(record(tls_record::handshake, message(1, 131'000, 58)), piece));
        const blob header = message(1, 131'000, 0);
        blob scattered; // a byte in each record
        for (const std::byte b : header) scattered = scattered + record(tls_record::handshake, {b});
        CHECK_FALSE(admitted(scattered, piece));
    }
}

TEST_CASE("RFC 8446 4.1.4: the ClientHello after a HelloRetryRequest has the same bound") {
    const blob first = record(tls_record::handshake, message(1, 200, 200));
    const blob second = record(tls_record::handshake, message(1, 131'000, 0));
    const blob compatible = record(change_cipher_spec, {std::byte{1}});
    for (const std::size_t piece : {whole, std::size_t{1}}) {
        CHECK_FALSE(admitted(first + second, piece));
        CHECK_FALSE(admitted(first + compatible + second, piece));
        CHECK(admitted(first + compatible + first, piece));
    }
}

TEST_CASE("RFC 5246 7.3: what is encrypted in TLS 1.2, or no ClientHello at all, is not taken for one") {
    const blob first = record(tls_record::handshake, message(1, 200, 200));
    const blob looks_like_it = record(tls_record::handshake, message(1, 131'000, 36));
    CHECK(admitted(first + record(change_cipher_spec, {std::byte{1}}) + looks_like_it, whole, true));
    CHECK(admitted(first + record(tls_record::handshake, message(16, 131'000, 0)) + looks_like_it));
    CHECK(admitted(first + record(tls_record::application_data, message(1, 131'000, 0)) + looks_like_it));
}

TEST_CASE("a ClientHello that would take 131 000 bytes fails the session before there is room for it") {
    tls_connection c(*any_context());
    c.to_server(record(tls_record::handshake, message(1, 131'000, 58)));
    CHECK(c.server.now() == state::failed);
    CHECK(c.server.failure() == std::string("ClientHello too large"));
    CHECK(c.to_client.empty());
}
