#include <doctest/doctest.h>

#include "support/certificates.hpp"
#include "support/real_server.hpp"
#include "support/real_stream.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

time_point now() {
    return std::chrono::steady_clock::now();
}

/// A server with a certificate of its own authority, which clients trust.
struct trusted_server {
    certificate_authority authority{};
    certificate_folder folder{};
    certificate_files files = folder.files(authority.issue());
    std::string root = folder.file("root.pem", authority.root());

    server_options options(std::initializer_list<transport> protocols, std::uint16_t port = 0) const {
        auto o = on_loopback();
        o.listeners.clear();
        for (const auto p : protocols)
            o.listeners.push_back(
                {.protocol = p,
                 .local = own_loopback().with_port(port),
                 .certificates = p == transport::tls ? std::vector{files} : std::vector<certificate_files>{}});
        return o;
    }
    std::unique_ptr<real_stream> connect(const server& s, transport protocol) const {
        return std::make_unique<real_stream>(
            s.description().listeners.front().local,
            real_stream::options{.protocol = protocol, .server_name = "turn.example.org", .trusted = root});
    }
};

/// TCP and TLS can share a port only when its number is known beforehand.
result<server, start_error> start_on_one_port(const trusted_server& by) {
    for (std::uint16_t port = 20000; port < 20100; ++port)
        if (auto s = server::start(by.options({transport::tcp, transport::tls}, port))) return s;
    return start_error{"no free port in a hundred", 0};
}

void relay_both_ways(real_client& ann) {
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.bind_channel(0x4000, bob.local()));
    for (const std::size_t size : {1U, 100U, 1200U, 20'000U}) {
        const std::string text(size, 'x');
        ann.send(bob.local(), text);
        const auto heard = bob.receive();
        REQUIRE(heard);
        CHECK(heard->text == text);
        bob.send(made->relayed, text);
        const auto answer = ann.receive();
        REQUIRE(answer);
        CHECK(answer->text == text);
    }
}

std::uint64_t of(const std::array<std::uint64_t, transport_count>& numbers, transport protocol) {
    return numbers[static_cast<std::size_t>(protocol)];
}

} // namespace

TEST_CASE("RFC 8656 2.1: a client over TLS relays to UDP peers, beside one over TCP on the same port") {
    const trusted_server by;
    auto s = start_on_one_port(by);
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    REQUIRE(s->description().listeners.size() == 2);
    for (const auto protocol : {transport::tls, transport::tcp, transport::tls}) {
        real_client ann(by.connect(*s, protocol), to);
        relay_both_ways(ann);
    }
    const auto books = s->totals().streams;
    CHECK(of(books.accepted, transport::tls) == 2);
    CHECK(of(books.accepted, transport::tcp) == 1);
    CHECK(books.handshakes == 2);
}

TEST_CASE("turn: a port for TLS alone takes no plain TCP, and a client that does not trust it is counted") {
    const trusted_server by;
    auto s = server::start(by.options({transport::tls}));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    real_stream plain(to);
    plain.send_bytes(std::vector<std::byte>(20));
    CHECK(plain.closed_by(now() + patience));
    const trusted_server other;
    CHECK_THROWS((void)other.connect(*s, transport::tls));
    for (const auto until = now() + patience; closed_for(*s, reason::handshake_failed) < 2 && now() < until;)
        std::this_thread::sleep_for(1ms);
    CHECK(closed_for(*s, reason::handshake_failed) == 2);
    CHECK(s->totals().streams.handshakes == 0);
}

TEST_CASE("turn: a TLS handshake that stops half-way is closed in time") {
    const trusted_server by;
    auto o = by.options({transport::tls});
    o.connections.handshake = 1s;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    real_stream half(to);
    const std::array<unsigned char, 9> beginning{0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xfc};
    half.send_bytes(std::as_bytes(std::span(beginning)));
    real_stream silent(to);
    CHECK(half.closed_by(now() + patience));
    CHECK(silent.closed_by(now() + patience));
    CHECK(closed_for(*s, reason::handshake_timeout) == 1);
    CHECK(closed_for(*s, reason::connection_idle) == 1); // it did not even begin
    CHECK(s->totals().streams.without_allocation == 0);
}

TEST_CASE("turn: a renewed certificate is used by new connections, and those that are there go on") {
    const trusted_server by;
    auto o = by.options({transport::tls});
    o.certificate_check = 0s; // only when asked
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto to = s->description().listeners.front().local;
    real_client ann(by.connect(*s, transport::tls), to);
    REQUIRE(ann.allocate());

    const certificate_authority other;
    const std::string new_root = by.folder.file("new_root.pem", other.root());
    by.folder.files(other.issue());
    CHECK(s->reload_certificates().empty());
    const real_stream::options trusting_the_new{
        .protocol = transport::tls, .server_name = "turn.example.org", .trusted = new_root};
    real_client bob(std::make_unique<real_stream>(to, trusting_the_new), to);
    CHECK(bob.allocate());
    CHECK(ann.refresh(600s));

    by.folder.file("server.key", "not a key");
    const auto errors = s->reload_certificates();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].find(to.to_string()) != std::string::npos);
    CHECK(errors[0].find("server.key") != std::string::npos);
    CHECK_NOTHROW(real_stream(to, trusting_the_new));
}

TEST_CASE("turn: TLS without a usable certificate does not start, and the files are named") {
    trusted_server by;
    by.files.key = by.folder.file("other.key", certificate_authority().issue().key);
    const auto s = server::start(by.options({transport::tls}));
    REQUIRE_FALSE(s);
    CHECK(s.error().what.find(by.files.chain) != std::string::npos);
    CHECK(s.error().what.find(by.files.key) != std::string::npos);

    auto o = on_loopback();
    o.listeners = {{.protocol = transport::tls, .local = loopback()}};
    const auto none = server::start(std::move(o));
    REQUIRE_FALSE(none);
    CHECK(none.error().what.find("certificate") != std::string::npos);
}
