/// The client's end of TLS: which servers it believes, and what it says of the others.

#include "net/tls_client_context.hpp"
#include "tls_connection.hpp"

using namespace turn;
using namespace turn::net_test;
using namespace std::chrono_literals;
using net::tls_client_context;
using net::tls_distrust;
using proof = net::tls_client_context::proof;

namespace {

/// A server with a certificate, and a client that comes for turn.example.org unless a test says otherwise.
struct encounter {
    test::certificate_authority authority{};
    test::certificate_folder folder{};
    std::string believed = folder.file("root.pem", authority.root());
    std::string host = "turn.example.org";
    proof wanted = proof::wanted;
    std::optional<net::tls_session> client{};
    std::optional<net::tls_session> server{};
    blob up{}, down{}, room = blob(2 * net::tls_session::largest_record + 65'536);

    void meet(const test::new_certificate& shown) { meet(authority.issue(shown)); }

    void meet(const test::issued_certificate& shown) {
        const auto context = tls_client_context::load(believed, wanted);
        REQUIRE(context);
        client.emplace((*context)->new_session(host));
        server.emplace(*load({folder.files(shown)}));
        client->receive({}, room, up);
        while (!up.empty() || !down.empty()) {
            const blob to_server = std::exchange(up, {}), to_client = std::exchange(down, {});
            if (!to_server.empty() && server->now() != state::failed) server->receive(to_server, room, down);
            if (!to_client.empty() && client->now() != state::failed) client->receive(to_client, room, up);
        }
    }
};

} // namespace

TEST_CASE("RFC 8489 6.2.3: a TLS client believes a certificate for the name it came for, signed by whom it believes") {
    encounter e;
    e.meet(test::new_certificate{});
    CHECK(e.client->now() == state::open);
    CHECK(e.server->now() == state::open);
    CHECK(e.client->distrust() == tls_distrust::none);

    const blob text = to_blob("a word");
    REQUIRE(e.client->send({.body = text}, e.up));
    const std::size_t n = e.server->receive(e.up, e.room, e.down);
    CHECK(blob(e.room.begin(), e.room.begin() + static_cast<std::ptrdiff_t>(n)) == text);
}

TEST_CASE("RFC 8489 6.2.3: a TLS client that came for an address wants it in the certificate") {
    encounter e;
    e.host = "192.0.2.1";
    e.meet({.addresses = {"192.0.2.1"}});
    CHECK(e.client->now() == state::open);
    e.meet({.addresses = {"192.0.2.2"}});
    CHECK(e.client->now() == state::failed);
    CHECK(e.client->distrust() == tls_distrust::wrong_name);
    e.host = "2001:db8::1";
    e.meet({.addresses = {"2001:db8::1"}});
    CHECK(e.client->now() == state::open);
}

TEST_CASE("a TLS client says what is wrong with the certificate it refuses") {
    encounter e;
    e.meet({.names = {"other.example.org"}});
    CHECK(e.client->now() == state::failed);
    CHECK(e.client->distrust() == tls_distrust::wrong_name);
    CHECK(e.server->now() == state::failed); // the server is told

    e.meet({.begins = -2h, .ends = -1h});
    CHECK(e.client->now() == state::failed);
    CHECK(e.client->distrust() == tls_distrust::expired);

    e.meet({.begins = 1h});
    CHECK(e.client->now() == state::failed);
    CHECK(e.client->distrust() == tls_distrust::not_yet_valid);

    const test::certificate_authority stranger;
    e.meet(stranger.issue());
    CHECK(e.client->now() == state::failed);
    CHECK(e.client->distrust() == tls_distrust::unknown_authority);
    CHECK(std::string(e.client->failure()) == "certificate verify failed");
}

TEST_CASE("a TLS client that needs no proof goes on, and still says what is wrong and when the certificate ends") {
    encounter e;
    e.wanted = proof::unneeded;
    e.meet({.names = {"other.example.org"}, .ends = 5 * 24h});
    CHECK(e.client->now() == state::open);
    CHECK(e.client->distrust() == tls_distrust::wrong_name);
    const auto left = std::chrono::seconds(e.client->certificate_ends()) -
                      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    CHECK(left > 4 * 24h);
    CHECK(left <= 5 * 24h);
}

TEST_CASE("a file of authorities that cannot be used is named") {
    const test::certificate_folder folder;
    const auto missing = tls_client_context::load(folder.path("none.pem"), proof::wanted);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().starts_with(folder.path("none.pem") + ": "));
    const auto empty = tls_client_context::load(folder.file("empty.pem", "nothing"), proof::wanted);
    REQUIRE_FALSE(empty);
    CHECK(empty.error().starts_with(folder.path("empty.pem") + ": "));
}
