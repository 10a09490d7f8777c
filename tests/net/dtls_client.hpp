#pragma once
/// A client over DTLS on any packet_io: the other end for tests of the server's.

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "net/dtls_session.hpp"
#include "support/certificates.hpp"
#include "support/real_client.hpp"
#include "turn/net/packet_io.hpp"

namespace turn::net_test {

using blob = std::vector<std::byte>;

/// An authority, a certificate it has signed and clients that believe it.
struct dtls_trust {
    test::certificate_authority authority{};
    test::certificate_folder folder{};
    certificate_files files = folder.files(authority.issue());
    std::shared_ptr<net::tls_client_context> clients = *net::tls_client_context::load(
        folder.file("root.pem", authority.root()), net::tls_client_context::proof::wanted,
        net::tls_client_context::layer::datagrams);
};

class dtls_client {
public:
    dtls_client(net::packet_io& io, socket_id socket, const transport_address& server, const dtls_trust& trust)
        : io_(io), socket_(socket), server_(server), session_(trust.clients->new_session("turn.example.org")) {
        take({});
    }

    /// Takes a datagram, and answers. Only what has been collected by then is sent by flush().
    void take(bytes datagram) {
        blob room(net::dtls_session::largest_record);
        do {
            const bytes part = net::take_record(datagram);
            const std::size_t came = session_.receive(part, room, row);
            if (came != 0) heard.emplace_back(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(came));
            if (part.empty()) break;
        } while (!datagram.empty());
    }
    void flush() {
        std::vector<datagram> all;
        for (std::size_t i = 0; i < row.size(); ++i) all.push_back({.via = socket_, .to = server_, .body = row[i]});
        io_.send(all);
        row.cut(0);
    }
    void say(bytes message) {
        REQUIRE(session_.send({.body = message}, row));
        flush();
    }
    void close() {
        session_.close(row);
        flush();
    }

    [[nodiscard]] net::dtls_session& session() { return session_; }
    [[nodiscard]] bool open() const { return session_.now() == net::dtls_session::state::open; }
    net::datagram_row row{};   ///< not sent yet
    std::vector<blob> heard{}; ///< what the server said, a message for each record

private:
    net::packet_io& io_;
    socket_id socket_;
    transport_address server_;
    net::dtls_session session_;
};

/// A client's way to a server over loopback. Throws std::runtime_error when there is no handshake.
class dtls_wire final : public test::client_wire {
public:
    dtls_wire(const transport_address& server, const dtls_trust& trust, const transport_address& from)
        : io_(std::move(*net::make_packet_io({.batch = 16}))), socket_(*io_->open(from, {})), server_(server),
          client_(*io_, socket_, server, trust) {
        client_.flush();
        for (const auto until = std::chrono::steady_clock::now() + test::patience; !client_.open();) {
            take_what_came(until);
            if (client_.session().now() == net::dtls_session::state::failed || std::chrono::steady_clock::now() > until)
                throw std::runtime_error("no DTLS");
        }
    }
    dtls_wire(const transport_address& server, const dtls_trust& trust)
        : dtls_wire(server, trust, test::loopback(server.family)) {}
    ~dtls_wire() override { client_.close(); }

    [[nodiscard]] transport_address local() const override { return io_->local_address(socket_); }
    [[nodiscard]] socket_id id() const noexcept override { return dtls_id(0); }
    void send(std::span<const datagram> messages) override {
        for (const datagram& m : messages) REQUIRE(client_.session().send(m, client_.row));
        client_.flush();
    }
    std::span<const packet> receive(time_point until) override {
        messages_.clear();
        packets_.clear();
        while (client_.heard.empty() && take_what_came(until)) {}
        messages_ = std::exchange(client_.heard, {});
        for (const blob& m : messages_) packets_.push_back({id(), server_, m, 0});
        return packets_;
    }
    [[nodiscard]] dtls_client& client() { return client_; }

private:
    /// False: nothing by `until`.
    bool take_what_came(time_point until) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (!io_->wait(std::max(left, std::chrono::milliseconds(0))).packets) return false;
        for (const packet& p : io_->receive())
            for (std::size_t i = 0; i < p.segments(); ++i) client_.take(p.segment(i));
        client_.flush();
        return true;
    }

    std::unique_ptr<net::packet_io> io_;
    socket_id socket_;
    transport_address server_;
    dtls_client client_;
    std::vector<blob> messages_{};
    std::vector<packet> packets_{};
};

} // namespace turn::net_test
