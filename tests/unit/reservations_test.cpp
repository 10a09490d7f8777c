#include "server/reservations.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace std::chrono_literals;
using turn::port_pool;
using turn::port_wish;
using turn::reservations;
using turn::reserved_socket;
using turn::time_point;

namespace {

const time_point noon{12h};

bool is_open(int descriptor) {
    return ::fcntl(descriptor, F_GETFD) != -1;
}

struct pool_with_reservations {
    turn::port_usage usage{};
    port_pool ports{5000, 5099, usage};
    reservations held{4};
    int last_descriptor = -1;

    /// Any descriptor will do: nothing is sent.
    reserved_socket socket() {
        last_descriptor = ::dup(STDERR_FILENO);
        auto taken = ports.take(port_wish::any);
        const auto address = turn::transport_address::parse_ip("192.0.2.1")->with_port(taken->port.port());
        return {std::move(taken->port), address, turn::net::file_descriptor(last_descriptor)};
    }
};

} // namespace

TEST_CASE("RFC 8656 7.2: a token gives its port once") {
    pool_with_reservations w;
    const auto token = w.held.hold(w.socket(), noon);
    REQUIRE(token);
    CHECK(w.held.size() == 1);
    {
        const auto redeemed = w.held.redeem(*token, noon + 1s);
        REQUIRE(redeemed);
        CHECK(redeemed->socket.number() == w.last_descriptor);
        CHECK(redeemed->advertised.port == redeemed->lease.port());
        CHECK_FALSE(w.held.redeem(*token, noon + 1s));
    }
    CHECK(w.held.size() == 0);
    CHECK(w.usage.in_use() == 0);
}

TEST_CASE("RFC 8656 7.2: a reservation lasts 30 s and then its socket and port are free") {
    pool_with_reservations w;
    const auto token = w.held.hold(w.socket(), noon);
    REQUIRE(token);
    CHECK(w.held.next_expiry() == noon + 30s);
    w.held.retire(noon + 30s - 1ms);
    CHECK(is_open(w.last_descriptor));
    CHECK(w.usage.in_use() == 1);

    w.held.retire(noon + 30s);
    CHECK_FALSE(is_open(w.last_descriptor));
    CHECK(w.usage.in_use() == 0);
    CHECK(w.held.next_expiry() == time_point::max());
    CHECK_FALSE(w.held.redeem(*token, noon + 30s));
}

TEST_CASE("RFC 8656 7.2: an expired token is refused even when no timer has come") {
    pool_with_reservations w;
    const auto token = w.held.hold(w.socket(), noon);
    CHECK_FALSE(w.held.redeem(*token, noon + 30s));
    CHECK(w.usage.in_use() == 0);
}

TEST_CASE("reservations: a cancelled one leaves nothing behind") {
    pool_with_reservations w;
    const auto token = w.held.hold(w.socket(), noon);
    w.held.cancel(*token);
    CHECK(w.held.size() == 0);
    CHECK(w.usage.in_use() == 0);
    CHECK_FALSE(is_open(w.last_descriptor));
}

TEST_CASE("reservations: a token nobody made is unknown") {
    pool_with_reservations w;
    const auto token = w.held.hold(w.socket(), noon);
    reservations::token other = *token;
    other[7] ^= std::byte{1};
    CHECK_FALSE(w.held.redeem(other, noon));
    CHECK(w.held.size() == 1);
}

TEST_CASE("reservations: the table is bounded and a refused socket is closed") {
    pool_with_reservations w;
    for (int i = 0; i < 4; ++i) REQUIRE(w.held.hold(w.socket(), noon));
    CHECK_FALSE(w.held.hold(w.socket(), noon));
    CHECK_FALSE(is_open(w.last_descriptor));
    CHECK(w.usage.in_use() == 4);
    w.held.retire(noon + 30s);
    CHECK(w.held.hold(w.socket(), noon + 30s));
}
