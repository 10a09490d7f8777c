#pragma once
/// What the tests of a server over TLS and over DTLS share: servers with a certificate, and a client that relays.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/real_server.hpp"

namespace turn::net_test {

using protocols = std::initializer_list<transport>;

/// Listens at an address that no other test process uses; over TLS and DTLS with this certificate.
inline server_options over(protocols all, const certificate_files& files, std::uint16_t port = 0) {
    auto o = test::on_loopback();
    o.listeners.clear();
    for (const auto p : all)
        o.listeners.push_back({.protocol = p,
                               .local = test::own_loopback().with_port(port),
                               .certificates = is_secure(p) ? std::vector{files} : std::vector<certificate_files>{}});
    return o;
}

/// A server that has started, and where its first listener is.
struct started {
    server it;
    transport_address to;

    explicit started(server_options o) : started(server::start(std::move(o))) {}
    explicit started(result<server, start_error> made) : it(checked(std::move(made))), to(first_listener()) {}

private:
    static server checked(result<server, start_error> made) {
        REQUIRE(made);
        return std::move(*made);
    }
    [[nodiscard]] transport_address first_listener() const { return it.description().listeners.front().local; }
};

/// All of them on one port, which can be only when its number is known beforehand.
inline started start_on_one_port(protocols all, const certificate_files& files) {
    for (std::uint16_t port = 20000; port < 20100; ++port)
        if (auto s = server::start(over(all, files, port))) return started(std::move(s));
    return started(start_error{"no free port in a hundred", 0});
}

/// Texts of these sizes, by indication and by channel.
inline void relay_both_ways(test::real_client& ann, std::initializer_list<std::size_t> sizes) {
    test::real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.permit(bob.local()));
    for (const bool channel : {false, true}) {
        if (channel) REQUIRE(ann.bind_channel(0x4000, bob.local()));
        for (const std::size_t size : sizes) {
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
}

inline std::uint64_t of(const std::array<std::uint64_t, transport_count>& numbers, transport protocol) {
    return numbers[static_cast<std::size_t>(protocol)];
}

} // namespace turn::net_test
