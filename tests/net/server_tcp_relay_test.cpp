/// RFC 6062 over loopback: a whole server, its clients' connections and their peers'.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <doctest/doctest.h>

#include "net/file_descriptor.hpp"
#include "net/socket_address.hpp"
#include "support/certificates.hpp"
#include "support/real_server.hpp"
#include "support/real_stream.hpp"
#include "support/wire.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

using turn::test::message;

time_point soon() {
    return std::chrono::steady_clock::now() + patience;
}

/// A server that relays TCP, over TCP and TLS, with as many shards as wanted.
struct tcp_server {
    certificate_authority authority{};
    certificate_folder folder{};
    server_options o = on_loopback();
    server it;

    explicit tcp_server(unsigned threads, std::uint64_t bandwidth = 0) : it(start(threads, bandwidth)) {}
    server start(unsigned threads, std::uint64_t bandwidth) {
        o.relay.bandwidth_per_allocation = bandwidth;
        o.threads = threads;
        o.relay.tcp_relay = true;
        o.listeners = {
            {.protocol = transport::tcp, .local = loopback()},
            {.protocol = transport::tls, .local = loopback(), .certificates = {folder.files(authority.issue())}}};
        auto started = server::start(o);
        REQUIRE(started);
        return std::move(*started);
    }
    [[nodiscard]] transport_address address(transport protocol) const {
        return listener_of(it, address_family::ipv4, protocol);
    }
    /// Nothing may be left of anybody.
    void stop() {
        it.stop();
        const auto t = it.totals();
        CHECK(t.ports_in_use == 0);
        CHECK(t.quota_in_use == 0);
        CHECK(t.relay.peer_connections == 0);
        CHECK(t.relay.peer_connections_bound == 0);
        CHECK(t.relay.pending == 0);
        CHECK(t.streams.without_allocation == 0);
        for (const std::uint64_t open : t.streams.connections) CHECK(open == 0);
    }
};

/// A connection of Ann's, who builds her requests by hand.
class ann_connection {
public:
    ann_connection(const tcp_server& s, transport protocol = transport::tcp)
        : stream(s.address(protocol), {.protocol = protocol}) {}

    real_stream stream;
    std::string nonce{};
    transport_address relayed{};

    static stun::credential_key key() { return *stun::long_term_key("ann", "example.org", "ann's password"); }
    message request(stun::method m) {
        stun::transaction_id id{};
        id[0] = std::byte{++serial_};
        message r{stun::message_class::request, m, id};
        if (!nonce.empty()) r.credentials("ann", "example.org", nonce, key());
        return r;
    }
    answer ask(message m) {
        if (m.wants_signature()) m.integrity();
        stream.send_bytes(m.view());
        return hear();
    }
    /// The next message, which may be an indication.
    answer hear() {
        blob all = exactly(20);
        if (all.size() < 20) return {};
        const auto length = std::to_integer<std::size_t>(all[2]) << 8 | std::to_integer<std::size_t>(all[3]);
        const blob rest = exactly(length);
        all.insert(all.end(), rest.begin(), rest.end());
        return {all, {}};
    }
    /// Just so many bytes, or fewer when the other end has closed.
    blob exactly(std::size_t size) {
        blob all;
        for (const auto until = soon(); all.size() < size;) {
            const auto more = stream.receive_bytes(size - all.size(), until);
            if (more.empty()) break;
            all.insert(all.end(), more.begin(), more.end());
        }
        return all;
    }
    void allocate() {
        const answer challenge =
            ask(request(stun::method::allocate).with<stun::requested_transport>(stun::requested_transport::tcp));
        nonce = std::string(challenge.get<stun::nonce>().value_or(""));
        const answer a =
            ask(request(stun::method::allocate).with<stun::requested_transport>(stun::requested_transport::tcp));
        REQUIRE(a.code() == 0);
        relayed = *a.get<stun::xor_relayed_address>();
    }
    int permit(const transport_address& peer) {
        return ask(request(stun::method::create_permission).with<stun::xor_peer_address>(peer)).code();
    }
    message bind_request(connection_id id) {
        message m = request(stun::method::connection_bind).with<stun::connection_id>(id);
        m.integrity();
        return m;
    }

private:
    unsigned char serial_ = 0;
};

/// A peer that is connected to.
class listening_peer {
public:
    listening_peer() : handle_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        net::socket_address name{};
        const socklen_t size = net::to_socket_address(loopback(), name);
        REQUIRE(::bind(handle_.number(), &name.any, size) == 0);
        REQUIRE(::listen(handle_.number(), 8) == 0);
        const timeval limit{patience.count(), 0};
        ::setsockopt(handle_.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    [[nodiscard]] transport_address local() const { return *net::bound_address(handle_.number()); }
    /// The next connection, and whose it is.
    net::file_descriptor accept(transport_address& from) {
        net::socket_address name{};
        socklen_t size = sizeof name;
        net::file_descriptor accepted(::accept4(handle_.number(), &name.any, &size, SOCK_CLOEXEC));
        REQUIRE(accepted);
        from = net::from_socket_address(name);
        const timeval limit{patience.count(), 0};
        ::setsockopt(accepted.number(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return accepted;
    }
    void close() { handle_.reset(); }

private:
    net::file_descriptor handle_;
};

std::string read_text(int descriptor, std::size_t size) {
    std::string text(size, '\0');
    const ssize_t n = ::recv(descriptor, text.data(), size, MSG_WAITALL);
    text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return text;
}

void say(real_stream& s, std::string_view text) {
    s.send_bytes(std::as_bytes(std::span(text)));
}

std::string hear(real_stream& s, std::size_t size) {
    std::string all;
    for (const auto until = soon(); all.size() < size;) {
        const auto more = s.receive_bytes(size - all.size(), until);
        if (more.empty()) break;
        all += to_text(more);
    }
    return all;
}

/// Bob calls Ann, who learns of it.
connection_id announced(ann_connection& ann) {
    const answer attempt = ann.hear();
    REQUIRE(attempt);
    REQUIRE(attempt.view().method() == stun::method::connection_attempt);
    return attempt.get<stun::connection_id>().value_or(connection_id{});
}

} // namespace

TEST_CASE("RFC 6062 5.4: both hear each other whichever shard the client's connection came to") {
    tcp_server s(4);
    auto protocol = transport::tcp;
    SUBCASE("over TCP") {
        protocol = transport::tcp;
    }
    SUBCASE("over TLS") {
        protocol = transport::tls;
    }
    ann_connection ann(s);
    ann.allocate();
    REQUIRE(ann.permit(loopback()) == 0);
    std::vector<std::unique_ptr<real_stream>> peers;
    std::vector<std::unique_ptr<ann_connection>> data;
    for (int i = 0; i < 12; ++i) { // to one shard all of them come once in 4^11 runs
        peers.push_back(std::make_unique<real_stream>(ann.relayed));
        const connection_id id = announced(ann);
        data.push_back(std::make_unique<ann_connection>(s, protocol));
        data.back()->nonce = ann.nonce;
        CHECK(data.back()
                  ->ask(data.back()->request(stun::method::connection_bind).with<stun::connection_id>(id))
                  .code() == 0);
    }
    for (std::size_t i = 0; i < peers.size(); ++i) {
        const std::string up = "to peer " + std::to_string(100 + i), down = "to client " + std::to_string(100 + i);
        say(data[i]->stream, up);
        CHECK(hear(*peers[i], up.size()) == up);
        say(*peers[i], down);
        CHECK(hear(data[i]->stream, down.size()) == down);
    }
    const auto t = s.it.totals();
    CHECK(t.relay.peer_connections_bound == 12);
    CHECK(t.peers.joined == 12);
    CHECK(t.relay.absorbed > 0); // they did move
    const auto report = s.it.allocations();
    REQUIRE(report.size() == 1);
    CHECK(report[0].connections.size() == 12);
    CHECK(report[0].used.bytes_up == 12 * std::string("to peer 100").size());
    s.stop();
}

TEST_CASE("RFC 6062 5.4: bytes behind the ConnectionBind request are the peer's, also when the connection moves") {
    tcp_server s(4);
    ann_connection ann(s);
    ann.allocate();
    REQUIRE(ann.permit(loopback()) == 0);
    for (int i = 0; i < 8; ++i) {
        real_stream bob(ann.relayed);
        say(bob, "early bird");
        ann_connection data(s);
        data.nonce = ann.nonce;
        blob all = data.bind_request(announced(ann)).raw();
        const blob behind = to_blob("\x16\x03 no STUN, and no TLS either");
        all.insert(all.end(), behind.begin(), behind.end());
        data.stream.send_bytes(all);
        CHECK(data.hear().code() == 0);
        CHECK(to_text(data.exactly(10)) == "early bird");
        CHECK(hear(bob, behind.size()) == to_text(behind));
    }
    s.stop();
}

TEST_CASE("RFC 6062 5.4: a connection whose ConnectionBind was refused goes on as it was") {
    tcp_server s(2);
    ann_connection ann(s);
    ann.allocate();
    REQUIRE(ann.permit(loopback()) == 0);
    real_stream bob(ann.relayed);
    const connection_id id = announced(ann);
    ann_connection data(s);
    // Unsigned, then with an id of nobody's; both at once, and a Binding behind.
    blob all = data.request(stun::method::connection_bind).with<stun::connection_id>(id).raw();
    data.nonce = ann.nonce;
    const blob wrong = data.bind_request(connection_id{static_cast<std::uint32_t>(id) ^ 1U}).raw();
    all.insert(all.end(), wrong.begin(), wrong.end());
    data.nonce.clear();
    const blob binding = data.request(stun::method::binding).raw();
    all.insert(all.end(), binding.begin(), binding.end());
    data.stream.send_bytes(all);
    CHECK(data.hear().code() == 401);
    CHECK(data.hear().code() == 400);
    CHECK(data.hear().code() == 0);
    data.nonce = ann.nonce;
    CHECK(data.ask(data.request(stun::method::connection_bind).with<stun::connection_id>(id)).code() == 0);
    say(data.stream, "at last");
    CHECK(hear(bob, 7) == "at last");
    s.stop();
}

TEST_CASE("RFC 6062 5.4: what a peer said before it left is delivered, and then its end") {
    tcp_server s(2);
    ann_connection ann(s);
    ann.allocate();
    REQUIRE(ann.permit(loopback()) == 0);
    real_stream bob(ann.relayed);
    say(bob, "last words");
    bob.finish();
    ann_connection data(s, transport::tls);
    data.nonce = ann.nonce;
    CHECK(data.ask(data.request(stun::method::connection_bind).with<stun::connection_id>(announced(ann))).code() == 0);
    CHECK(to_text(data.exactly(10)) == "last words");
    s.stop();
}

TEST_CASE("RFC 6062 5.2: a Connect reaches a peer from the relayed address, or is answered 447") {
    tcp_server s(2);
    ann_connection ann(s);
    ann.allocate();
    listening_peer bob;
    const answer there = ann.ask(ann.request(stun::method::connect).with<stun::xor_peer_address>(bob.local()));
    REQUIRE(there.code() == 0);
    transport_address from;
    const auto accepted = bob.accept(from);
    CHECK(from == ann.relayed);

    ann_connection data(s);
    data.nonce = ann.nonce;
    CHECK(data.ask(data.request(stun::method::connection_bind)
                       .with<stun::connection_id>(*there.get<stun::connection_id>()))
              .code() == 0);
    say(data.stream, "hello");
    CHECK(read_text(accepted.number(), 5) == "hello");
    CHECK(ann.ask(ann.request(stun::method::connect).with<stun::xor_peer_address>(bob.local())).code() == 446);
    data.stream.finish(); // what Ann closes is closed for Bob
    CHECK(read_text(accepted.number(), 1).empty());

    const auto gone = bob.local();
    bob.close();
    ann_connection other(s);
    other.allocate();
    CHECK(other.ask(other.request(stun::method::connect).with<stun::xor_peer_address>(gone)).code() == 447);
    s.stop();
}

TEST_CASE("RFC 6062 5.3: a peer without a permission is sent away") {
    tcp_server s(1);
    ann_connection ann(s);
    ann.allocate();
    real_stream eve(ann.relayed);
    CHECK(eve.closed_by(soon()));
    CHECK(s.it.totals().relay.peer_connections_closed[static_cast<std::size_t>(reason::no_permission)] == 1);
    s.stop();
}

TEST_CASE("RFC 6062 5.5: the end of an allocation is the end of its data connections and of its port") {
    tcp_server s(3);
    auto ann = std::make_unique<ann_connection>(s);
    ann->allocate();
    const auto relayed = ann->relayed;
    REQUIRE(ann->permit(loopback()) == 0);
    real_stream bob(relayed);
    const connection_id id = announced(*ann);
    real_stream unbound(relayed);
    announced(*ann);
    ann_connection data(s);
    data.nonce = ann->nonce;
    CHECK(data.ask(data.request(stun::method::connection_bind).with<stun::connection_id>(id)).code() == 0);
    SUBCASE("when the client says so") {
        CHECK(ann->ask(ann->request(stun::method::refresh).with<stun::lifetime>(0s)).code() == 0);
    }
    SUBCASE("when the control connection ends") {
        ann.reset();
    }
    SUBCASE("when the operator says so") {
        CHECK(s.it.end_allocation(s.it.allocations().at(0).id));
    }
    CHECK(data.stream.closed_by(soon()));
    CHECK(bob.closed_by(soon()));
    CHECK(unbound.closed_by(soon()));
    CHECK_THROWS(real_stream(relayed));
    s.stop();
}

TEST_CASE("RFC 8656 5: a TCP relay has its allocation's bandwidth, and from one moment to the next another") {
    constexpr std::size_t at_once = 65'536, much = 4 * at_once;
    tcp_server s(2, 1'000); // bits per second: more than what comes at once would take minutes
    ann_connection ann(s);
    ann.allocate();
    REQUIRE(ann.permit(loopback()) == 0);
    real_stream bob(ann.relayed), dave(ann.relayed);
    ann_connection to_bob(s), to_dave(s);
    for (ann_connection* data : {&to_bob, &to_dave}) {
        data->nonce = ann.nonce;
        const auto bind = data->request(stun::method::connection_bind).with<stun::connection_id>(announced(ann));
        REQUIRE(data->ask(bind).code() == 0);
    }
    const std::string text(much, 'x');
    say(to_bob.stream, text);
    CHECK(hear(bob, at_once).size() == at_once);
    say(to_dave.stream, "and what about me?");
    for (const auto until = soon(); s.it.totals().peers.held_back[0] < 2;)
        REQUIRE(std::chrono::steady_clock::now() < until);

    say(bob, "you are slow");
    CHECK(to_bob.exactly(12).size() == 12);
    const auto verdict_now = [&] { return s.it.allocations().at(0).used.verdict; };
    CHECK(verdict_now() == verdict::bandwidth);

    s.o.relay.bandwidth_per_allocation = 0;
    REQUIRE(s.it.reconfigure(s.o));
    CHECK(hear(bob, much - at_once).size() == much - at_once);
    CHECK(hear(dave, 18) == "and what about me?");
    CHECK(s.it.totals().peers.held_back[1] == 0);
    CHECK(verdict_now() == verdict::bandwidth); // that of what has been, too
    s.stop();
}

TEST_CASE("RFC 6062 5.4: a server may end while connections are moving") {
    for (int round = 0; round < 5; ++round) {
        tcp_server s(4);
        ann_connection ann(s);
        ann.allocate();
        std::vector<std::unique_ptr<ann_connection>> moving;
        for (unsigned i = 0; i < 16; ++i) {
            moving.push_back(std::make_unique<ann_connection>(s));
            moving.back()->stream.send_bytes(
                moving.back()
                    ->request(stun::method::connection_bind)
                    .with<stun::connection_id>(connection_id{(i % 4) << connection_shard_shift})
                    .view());
        }
        s.stop();
    }
}
