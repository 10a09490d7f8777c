#include <doctest/doctest.h>

#include "counting_allocator.hpp"
#include "net/tls_session.hpp"
#include "support/certificates.hpp"
#include "support/tls_client.hpp"

using namespace turn;
using turn::test::heap_watch;

namespace {

/// An open connection, and the client's end of it.
struct open_connection {
    std::shared_ptr<net::tls_context> context;
    net::tls_session server;
    test::tls_client client{};
    std::vector<std::byte> room, out{};

    open_connection() : context(load()), server(*context), room(100'000) {
        for (auto up = client.to_send(); !up.empty(); up = client.to_send()) {
            server.receive(up, room, out);
            client.receive(std::exchange(out, {}));
        }
        REQUIRE(server.now() == net::tls_session::state::open);
        out.reserve(200'000);
    }
    static std::shared_ptr<net::tls_context> load() {
        const test::certificate_authority authority;
        const test::certificate_folder folder;
        auto loaded = net::tls_context::load({folder.files(authority.issue())});
        REQUIRE(loaded);
        return *loaded;
    }
};

} // namespace

TEST_CASE("encrypting messages takes nothing from the heap once a largest one has gone") {
    open_connection c;
    const std::vector<std::byte> head(4), body(1201), largest(65'535);
    REQUIRE(c.server.send({.head = head, .body = largest, .pad = 1}, c.out));
    const heap_watch heap;
    for (int i = 0; i < 1000; ++i) {
        c.out.clear();
        REQUIRE(c.server.send({.head = head, .body = body, .pad = 3}, c.out));
        REQUIRE(c.server.send({.body = body}, c.out));
    }
    CHECK(heap.allocations() == 0);
}

TEST_CASE("decrypting messages takes nothing from the heap") {
    open_connection c;
    const std::vector<std::byte> message(1204);
    std::vector<std::vector<std::byte>> ciphertexts;
    for (int i = 0; i < 1000; ++i) {
        c.client.send(message);
        ciphertexts.push_back(c.client.to_send());
    }
    std::size_t heard = 0;
    const heap_watch heap;
    for (const auto& ciphertext : ciphertexts) heard += c.server.receive(ciphertext, c.room, c.out);
    CHECK(heap.allocations() == 0);
    CHECK(heard == 1000 * message.size());
}
