#include <doctest/doctest.h>

#include "secure_server.hpp"
#include "support/certificates.hpp"
#include "support/real_stream.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;
using namespace turn::net_test;

namespace {

time_point now() {
    return std::chrono::steady_clock::now();
}

/// A certificate of its own authority, which clients trust.
struct tls_trust {
    certificate_authority authority{};
    certificate_folder folder{};
    certificate_files files = folder.files(authority.issue());
    std::string root = folder.file("root.pem", authority.root());

    /// Over TLS alone.
    [[nodiscard]] server_options options() const { return over({transport::tls}, files); }
    std::unique_ptr<real_stream> connect(const started& s, transport protocol) const {
        return std::make_unique<real_stream>(
            s.to, real_stream::options{.protocol = protocol, .server_name = "turn.example.org", .trusted = root});
    }
};

} // namespace

TEST_CASE("RFC 8656 2.1: a client over TLS relays to UDP peers, beside one over TCP on the same port") {
    const tls_trust by;
    const auto s = start_on_one_port({transport::tcp, transport::tls}, by.files);
    REQUIRE(s.it.description().listeners.size() == 2);
    for (const auto protocol : {transport::tls, transport::tcp, transport::tls}) {
        real_client ann(by.connect(s, protocol), s.to);
        relay_both_ways(ann, {1, 100, 1200, 20'000});
    }
    const auto books = s.it.totals().streams;
    CHECK(of(books.accepted, transport::tls) == 2);
    CHECK(of(books.accepted, transport::tcp) == 1);
    CHECK(books.handshakes == 2);
}

TEST_CASE("turn: a port for TLS alone takes no plain TCP, and a client that does not trust it is counted") {
    const tls_trust by;
    started s(by.options());
    real_stream plain(s.to);
    plain.send_bytes(std::vector<std::byte>(20));
    CHECK(plain.closed_by(now() + patience));
    const tls_trust other;
    CHECK_THROWS((void)other.connect(s, transport::tls));
    for (const auto until = now() + patience; closed_for(s.it, reason::handshake_failed) < 2 && now() < until;)
        std::this_thread::sleep_for(1ms);
    CHECK(closed_for(s.it, reason::handshake_failed) == 2);
    CHECK(s.it.totals().streams.handshakes == 0);
}

TEST_CASE("turn: a TLS handshake that stops half-way is closed in time") {
    const tls_trust by;
    auto o = by.options();
    o.connections.handshake = 1s;
    started s(std::move(o));
    real_stream half(s.to);
    const std::array<unsigned char, 9> beginning{0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xfc};
    half.send_bytes(std::as_bytes(std::span(beginning)));
    real_stream silent(s.to);
    CHECK(half.closed_by(now() + patience));
    CHECK(silent.closed_by(now() + patience));
    CHECK(closed_for(s.it, reason::handshake_timeout) == 1);
    CHECK(closed_for(s.it, reason::connection_idle) == 1); // it did not even begin
    CHECK(s.it.totals().streams.without_allocation == 0);
}

TEST_CASE("turn: a renewed certificate is used by new connections, and those that are there go on") {
    const tls_trust by;
    auto o = by.options();
    o.certificate_check = 0s; // only when asked
    started s(std::move(o));
    real_client ann(by.connect(s, transport::tls), s.to);
    REQUIRE(ann.allocate());

    const certificate_authority other;
    const std::string new_root = by.folder.file("new_root.pem", other.root());
    by.folder.files(other.issue());
    CHECK(s.it.reload_certificates().empty());
    const real_stream::options trusting_the_new{
        .protocol = transport::tls, .server_name = "turn.example.org", .trusted = new_root};
    real_client bob(std::make_unique<real_stream>(s.to, trusting_the_new), s.to);
    CHECK(bob.allocate());
    CHECK(ann.refresh(600s));

    by.folder.file("server.key", "not a key");
    const auto errors = s.it.reload_certificates();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].find(s.to.to_string()) != std::string::npos);
    CHECK(errors[0].find("server.key") != std::string::npos);
    CHECK_NOTHROW(real_stream(s.to, trusting_the_new));
}

TEST_CASE("turn: TLS without a usable certificate does not start, and the files are named") {
    tls_trust by;
    by.files.key = by.folder.file("other.key", certificate_authority().issue().key);
    const auto s = server::start(by.options());
    REQUIRE_FALSE(s);
    CHECK(s.error().what.find(by.files.chain) != std::string::npos);
    CHECK(s.error().what.find(by.files.key) != std::string::npos);

    auto o = on_loopback();
    o.listeners = {{.protocol = transport::tls, .local = loopback()}};
    const auto none = server::start(std::move(o));
    REQUIRE_FALSE(none);
    CHECK(none.error().what.find("certificate") != std::string::npos);
}
