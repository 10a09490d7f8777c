#pragma once
/// The back ends a packet_io test runs on, and words for it: who sends what to whom, and what arrived.

#include <poll.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_packet_io.hpp"
#include "turn/net/packet_io.hpp"

namespace turn::net_test {

inline transport_address loopback(address_family family) {
    return *transport_address::parse_ip(family == address_family::ipv4 ? "127.0.0.1" : "::1");
}

/// A datagram that arrived, copied out; trains taken apart.
struct letter {
    socket_id to{};
    transport_address from{};
    std::string text{};
    unsigned traffic_class = 0;

    friend bool operator==(const letter&, const letter&) = default;
};

/// What is to be sent. Keeps the bytes, so that the datagrams' views live as long as this.
class letters {
public:
    datagram& add(socket_id via, const transport_address& to, std::string text) {
        datagram d;
        d.via = via;
        d.to = to;
        d.body = std::as_bytes(std::span<const char>(texts_.emplace_back(std::move(text))));
        return datagrams_.emplace_back(d);
    }
    /// Moves the first `n` bytes of the body into the head.
    static datagram& with_head(datagram& d, std::size_t n) {
        d.head = d.body.first(n);
        d.body = d.body.subspan(n);
        return d;
    }
    [[nodiscard]] std::size_t size() const { return datagrams_.size(); }
    operator std::span<const datagram>() const { return datagrams_; }

private:
    std::deque<std::string> texts_; // a deque: what is in it stays where it is
    std::vector<datagram> datagrams_;
};

inline bool readable(int descriptor, std::chrono::milliseconds patience = std::chrono::milliseconds(0)) {
    pollfd p{descriptor, POLLIN, 0};
    return ::poll(&p, 1, static_cast<int>(patience.count())) == 1;
}

/// One packet_io with words around it. `Backend` makes it and names the family.
template <class Backend>
class post_office : Backend {
public:
    explicit post_office(const net::packet_io_options& options = {}) : io_(Backend::make(options)) {}

    net::packet_io& io() { return *io_; }
    static transport_address here() { return loopback(Backend::family); }
    static transport_address elsewhere() {
        return loopback(Backend::family == address_family::ipv4 ? address_family::ipv6 : address_family::ipv4);
    }

    socket_id open(const net::socket_options& options = {}) { return open_at(here(), options); }
    socket_id open_at(const transport_address& local, const net::socket_options& options = {}) {
        const auto id = io_->open(local, options);
        REQUIRE(id);
        return *id;
    }
    transport_address address(socket_id id) { return io_->local_address(id); }

    /// Receives until `count` datagrams came, for 10 s at most.
    std::vector<letter> collect(std::size_t count) {
        std::vector<letter> out;
        while (out.size() < count && readable(io_->native_handle(), std::chrono::seconds(10))) take(out);
        return out;
    }
    /// Receives until so many errors came, for 10 s at most; in words: "ID: TYPE CODE MTU PEER".
    std::vector<std::string> complaints(std::size_t count) {
        std::vector<std::string> out;
        while (out.size() < count && readable(io_->native_handle(), std::chrono::seconds(10))) {
            io_->receive();
            for (const icmp_error& e : io_->icmp_errors()) {
                std::ostringstream text;
                text << static_cast<unsigned>(e.via) << ": " << +e.type << ' ' << +e.code << ' ' << e.mtu << ' '
                     << e.peer.to_string();
                out.push_back(text.str());
            }
        }
        return out;
    }
    /// One receive().
    std::vector<letter> receive() {
        std::vector<letter> out;
        take(out);
        return out;
    }
    /// The texts for one socket, in order of arrival.
    static std::vector<std::string> texts(const std::vector<letter>& all, socket_id to) {
        std::vector<std::string> out;
        for (const letter& l : all)
            if (l.to == to) out.push_back(l.text);
        return out;
    }

    std::uint64_t dropped(direction way, reason why) {
        return io_->counters().dropped[static_cast<std::size_t>(way)][static_cast<std::size_t>(why)].value();
    }
    std::uint64_t all_dropped() {
        std::uint64_t sum = 0;
        for (const auto& way : io_->counters().dropped)
            for (const counter& c : way) sum += c.value();
        return sum;
    }
    std::uint64_t all_sent() {
        std::uint64_t sum = 0;
        for (const counter& c : io_->counters().sent_packets) sum += c.value();
        return sum;
    }

private:
    void take(std::vector<letter>& out) {
        for (const packet& p : io_->receive())
            for (std::size_t i = 0; i < p.segments(); ++i) {
                const bytes b = p.segment(i);
                out.push_back(
                    {p.via, p.from, std::string(reinterpret_cast<const char*>(b.data()), b.size()), p.traffic_class});
            }
    }

    std::unique_ptr<net::packet_io> io_;
};

struct in_memory_backend {
    static constexpr address_family family = address_family::ipv4;
    std::unique_ptr<net::packet_io> make(const net::packet_io_options& options) {
        return std::make_unique<test::fake_packet_io>(ports, options);
    }
    test::fake_ports ports{};
};

template <address_family Family>
struct kernel_backend {
    static constexpr address_family family = Family;
    static std::unique_ptr<net::packet_io> make(const net::packet_io_options& options) {
        auto made = net::make_packet_io(options);
        REQUIRE(made);
        return std::move(*made);
    }
};

using in_memory = post_office<in_memory_backend>;
using kernel_ipv4 = post_office<kernel_backend<address_family::ipv4>>;
using kernel_ipv6 = post_office<kernel_backend<address_family::ipv6>>;

} // namespace turn::net_test

TYPE_TO_STRING(turn::net_test::in_memory);
TYPE_TO_STRING(turn::net_test::kernel_ipv4);
TYPE_TO_STRING(turn::net_test::kernel_ipv6);
