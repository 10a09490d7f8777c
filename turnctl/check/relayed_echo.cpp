#include "turnctl/check/relayed_echo.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include <fmt/format.h>

#include "net/socket_address.hpp"

namespace turnctl::check {
namespace {

using turn::time_point;
using turn::transport_address;

/// One for each way, since a number stays with its peer: RFC 8656, 12.2.
constexpr std::uint16_t to_own_socket = 0x4000, to_socket_behind_nat = 0x4001, to_second_relay = 0x4002;
/// UDP loses datagrams, so they are sent again.
constexpr std::chrono::milliseconds again_after{200};

time_point read_clock() {
    return std::chrono::steady_clock::now();
}

/// Until one of two sockets (-1: none) has something, or `until`.
void wait_for_either(int one, int other, time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - read_clock());
    std::array<pollfd, 2> both{pollfd{one, POLLIN, 0}, pollfd{other, POLLIN, 0}};
    ::poll(both.data(), both.size(), static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1000)));
}

/// A text nobody else sends, so that strangers at the relay port do not pass for an echo.
std::string unguessable(std::string_view what) {
    std::random_device random;
    return fmt::format("turnctl check {} {:08x}{:08x}", what, random(), random());
}

/// A UDP socket that speaks with one relay.
class own_peer {
public:
    explicit own_peer(const transport_address& relayed)
        : socket_(::socket(turn::net::kernel_family(relayed.family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        turn::net::socket_address to;
        const socklen_t size = turn::net::to_socket_address(relayed, to);
        if (socket_ && ::connect(descriptor(), &to.any, size) != 0) socket_.reset();
    }
    explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
    [[nodiscard]] int descriptor() const noexcept { return socket_.number(); }
    [[nodiscard]] std::uint16_t port() const noexcept {
        const auto bound = turn::net::bound_address(descriptor());
        return bound ? bound->port : std::uint16_t{0};
    }
    /// What cannot be sent is as good as lost.
    void send(const std::string& text) const noexcept { ::send(descriptor(), text.data(), text.size(), MSG_NOSIGNAL); }
    /// Whether this text has come by now.
    [[nodiscard]] bool heard(const std::string& text) const {
        std::array<char, 256> room{};
        for (int i = 0; i < 16; ++i) {
            const ssize_t n = ::recv(descriptor(), room.data(), room.size(), 0);
            if (n >= 0 && std::string_view(room.data(), static_cast<std::size_t>(n)) == text) return true;
        }
        return false;
    }

private:
    turn::net::file_descriptor socket_;
};

/// Where a text came from, if it is among the arrivals.
std::optional<transport_address> sender_of(const std::string& text, conversation& client) {
    for (const auto& a : client.take_arrivals())
        if (a.text == text) return a.from;
    return std::nullopt;
}

/// Sends again and again until what was said is there, and returns what `arrived` saw.
template <class Wait, class Send, class Arrived>
auto exchange(std::chrono::milliseconds patience, Wait wait, Send send, Arrived arrived) {
    const auto until = read_clock() + patience;
    for (auto now = read_clock(), next = now;; now = read_clock()) {
        auto seen = arrived();
        if (seen || now >= until) return seen;
        if (now >= next) {
            send();
            next = now + again_after;
        }
        wait(std::min(next, until));
    }
}

std::optional<echo_result> prepare(conversation& client, const transport_address& peer, std::uint16_t channel) {
    if (const auto permitted = client.permit(peer); !permitted) return echo_result{step::permission, permitted.error()};
    if (const auto bound = client.bind_channel(channel, peer); !bound) return echo_result{step::channel, bound.error()};
    return std::nullopt;
}

constexpr trouble::kind silence = trouble::kind::silence;

} // namespace

echo_result echo_by_own_socket(conversation& client, const transport_address& relayed, const transport_address& mapped,
                               std::chrono::milliseconds patience) {
    const own_peer peer(relayed);
    if (!peer) return {step::permission, trouble{.what = trouble::kind::unreachable}};
    if (auto stopped = prepare(client, mapped.with_port(peer.port()), to_own_socket)) return *stopped;

    const std::string up = unguessable("to the client"), down = unguessable("to the peer");
    const auto wait = [&](time_point until) { wait_for_either(client.descriptor(), peer.descriptor(), until); };
    const auto seen_as = exchange(
        patience, wait, [&] { peer.send(up); }, [&] { return sender_of(up, client); });
    if (!seen_as) return {step::echo, trouble{.what = silence}};
    // A NAT between gave it another port: the channel goes there.
    if (*seen_as != mapped.with_port(peer.port()))
        if (const auto bound = client.bind_channel(to_socket_behind_nat, *seen_as); !bound)
            return {step::channel, bound.error()};
    const bool heard = exchange(
        patience, wait, [&] { client.send(*seen_as, down); }, [&] { return peer.heard(down); });
    if (!heard) return {step::echo, trouble{.what = silence}};
    return {step::echo, std::nullopt};
}

echo_result echo_by_second_relay(conversation& client, const transport_address& relayed, conversation& second,
                                 const transport_address& second_relayed, std::chrono::milliseconds patience) {
    if (auto stopped = prepare(client, second_relayed, to_second_relay)) return *stopped;
    if (auto stopped = prepare(second, relayed, to_second_relay)) return *stopped;

    const std::string down = unguessable("to the second client"), up = unguessable("to the first client");
    const auto wait = [&](time_point until) { wait_for_either(client.descriptor(), second.descriptor(), until); };
    const auto carried = [&](conversation& from, conversation& to, const transport_address& peer,
                             const std::string& text) {
        return exchange(
                   patience, wait, [&] { from.send(peer, text); }, [&] { return sender_of(text, to); })
            .has_value();
    };
    if (!carried(client, second, second_relayed, down) || !carried(second, client, relayed, up))
        return {step::echo, trouble{.what = silence}};
    return {step::echo, std::nullopt};
}

} // namespace turnctl::check
