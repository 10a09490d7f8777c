#pragma once
/// A tls_session of the server with its client, and a wire between them that cuts where a test wants.

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "net/tls_session.hpp"
#include "support/certificates.hpp"
#include "support/tls_client.hpp"

namespace turn::net_test {

using blob = std::vector<std::byte>;
using state = net::tls_session::state;

inline constexpr std::array both{test::tls_version::v1_2, test::tls_version::v1_3};
inline const char* name_of(test::tls_version v) {
    return v == test::tls_version::v1_2 ? "TLSv1.2" : "TLSv1.3";
}

inline blob to_blob(std::string_view text) {
    const auto data = std::as_bytes(std::span(text));
    return {data.begin(), data.end()};
}

inline constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

/// Of a certificate that was loaded without error.
inline std::shared_ptr<net::tls_context> load(std::vector<certificate_files> files) {
    auto context = net::tls_context::load(std::move(files));
    REQUIRE_MESSAGE(context, (context ? "" : context.error()));
    return *context;
}

/// A context with one certificate, for tests that ask for nothing more.
inline std::shared_ptr<net::tls_context> any_context() {
    const test::certificate_authority authority;
    const test::certificate_folder folder;
    return load({folder.files(authority.issue())});
}

inline blob random_bytes(std::size_t size) {
    std::minstd_rand generator(static_cast<unsigned>(size) + 1);
    blob out(size);
    std::ranges::generate(out, [&] { return static_cast<std::byte>(generator()); });
    return out;
}

/// Each TLS record of a ciphertext: its type and the size of what is encrypted in it.
struct tls_record {
    unsigned type = 0;
    std::size_t size = 0;
    static constexpr unsigned alert = 21, handshake = 22, application_data = 23;
};
inline std::vector<tls_record> records(bytes ciphertext) {
    std::vector<tls_record> found;
    while (!ciphertext.empty()) {
        REQUIRE(ciphertext.size() >= 5);
        const auto octet = [&](std::size_t i) { return std::to_integer<unsigned>(ciphertext[i]); };
        found.push_back({octet(0), octet(3) << 8 | octet(4)});
        REQUIRE(ciphertext.size() >= 5 + found.back().size);
        ciphertext = ciphertext.subspan(5 + found.back().size);
    }
    return found;
}

class tls_connection {
public:
    explicit tls_connection(const net::tls_context& context, const test::tls_wishes& wishes = {})
        : server(context), client(wishes) {}

    net::tls_session server;
    test::tls_client client;
    blob to_client{}; ///< not delivered yet
    blob heard{};     ///< what the server has understood so far

    /// Hands bytes to the server, at most `piece` at a time.
    void to_server(bytes ciphertext, std::size_t piece = whole) {
        while (!ciphertext.empty()) {
            const bytes part = ciphertext.first(std::min(piece, ciphertext.size()));
            ciphertext = ciphertext.subspan(part.size());
            if (room_.size() < part.size() + net::tls_session::largest_record)
                room_.resize(part.size() + net::tls_session::largest_record);
            const std::size_t n = server.receive(part, room_, to_client);
            heard.insert(heard.end(), room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(n));
        }
    }

    /// Carries bytes both ways until nobody has anything to say.
    void settle(std::size_t piece = whole) {
        for (;;) {
            const blob up = client.to_send(), down = std::exchange(to_client, {});
            if (up.empty() && down.empty()) return;
            to_server(up, piece);
            for (std::size_t at = 0; at < down.size();) {
                const std::size_t n = std::min(piece, down.size() - at);
                client.receive(bytes(down).subspan(at, n));
                at += n;
            }
        }
    }

    [[nodiscard]] bool open() const { return server.now() == state::open && client.open(); }

    /// The server's message to the client, delivered.
    void say(bytes body) {
        REQUIRE(server.send({.body = body}, to_client));
        settle();
    }

private:
    blob room_{};
};

/// The common name of the certificate a client with this SNI is shown.
inline std::string shown(const net::tls_context& context, const std::string& server_name = {},
                         test::tls_version version = test::tls_version::any) {
    tls_connection c(context, {.version = version, .server_name = server_name});
    c.settle();
    REQUIRE(c.open());
    return c.client.certificate();
}

} // namespace turn::net_test
