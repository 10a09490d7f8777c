/// What lies between a client's messages and its socket, with the other end in the test's hands.

#include <optional>

#include "net/tls_session.hpp"
#include "support/dtls_server.hpp"
#include "tls_connection.hpp"
#include "turn/client_error.hpp"
#include "turn/net/client_wire.hpp"

using namespace turn;
using namespace turn::net_test;
using net::client_trust;
using net::client_wire;
using protocol = net::client_wire::protocol;
using wire_state = net::client_wire::state;

namespace {

/// A Binding request without attributes; the last byte of its transaction id is `mark`.
blob message(int mark) {
    blob m = to_blob(std::string("\0\1\0\0\x21\x12\xa4\x42", 8));
    m.resize(20, std::byte(mark));
    return m;
}

std::vector<blob> take_messages(client_wire& wire) {
    std::vector<blob> all;
    while (const auto m = wire.next_message()) all.emplace_back(m->begin(), m->end());
    return all;
}

/// What the wire wants written, in pieces as a socket takes them.
std::vector<blob> take_writes(client_wire& wire) {
    std::vector<blob> all;
    for (bytes piece = wire.to_write(); !piece.empty(); piece = wire.to_write()) {
        all.emplace_back(piece.begin(), piece.end());
        wire.written(piece.size());
    }
    return all;
}

struct identity {
    test::certificate_authority authority{};
    test::certificate_folder folder{};
    certificate_files files;

    explicit identity(const test::new_certificate& c = {}) : files(folder.files(authority.issue(c))) {}

    client_wire::secret believed(const std::string& host = "turn.example.org") const {
        const auto trust = client_trust::load(folder.file("root.pem", authority.root()));
        REQUIRE(trust);
        return {*trust, host, "stun.turn"};
    }
};

/// Carries datagrams between a wire and a DTLS server until nobody has more to say.
void carry(client_wire& wire, test::dtls_server& server) {
    for (;;) {
        const auto up = take_writes(wire);
        for (const auto& d : up) server.receive(d);
        const auto down = server.to_send();
        if (up.empty() && down.empty()) return;
        if (!down.empty()) wire.receive(down);
    }
}

} // namespace

TEST_CASE("a datagram is a message, both ways, and leaves as one") {
    client_wire wire(protocol::udp);
    CHECK(wire.now() == wire_state::open);
    const blob one = message(1), data = to_blob("payload");
    REQUIRE(wire.send({.body = one}));
    REQUIRE(wire.send({.head = bytes(one).first(4), .body = data, .pad = 1}));
    CHECK(wire.queued() == 20 + 12);
    const auto writes = take_writes(wire);
    REQUIRE(writes.size() == 2);
    CHECK(writes[0] == one);
    CHECK(writes[1].size() == 12);
    CHECK(wire.flushed() == 32);

    wire.receive(data);
    CHECK(take_messages(wire) == std::vector<blob>{data});
}

TEST_CASE("RFC 8489 6.2.2: on a stream messages are found wherever the network cut it") {
    client_wire wire(protocol::tcp);
    blob stream = message(1);
    for (const int mark : {2, 3}) {
        const blob next = message(mark);
        stream.insert(stream.end(), next.begin(), next.end());
    }
    std::vector<blob> came;
    for (const auto b : stream) {
        wire.receive({&b, 1});
        for (auto& m : take_messages(wire)) came.push_back(std::move(m));
    }
    CHECK(came == std::vector<blob>{message(1), message(2), message(3)});
    wire.receive(stream);
    CHECK(take_messages(wire) == std::vector<blob>{message(1), message(2), message(3)});
}

TEST_CASE("a stream takes as much of what is to be written as it can") {
    client_wire wire(protocol::tcp);
    REQUIRE(wire.send({.body = message(1)}));
    REQUIRE(wire.send({.body = message(2)}));
    CHECK(wire.to_write().size() == 40);
    wire.written(25);
    CHECK(wire.to_write().size() == 15);
    CHECK(wire.flushed() == 25);
    wire.written(15);
    CHECK(wire.to_write().empty());
    CHECK(wire.flushed() == wire.queued());
}

TEST_CASE("a server that does not speak STUN is found out by its first bytes") {
    for (const auto* words : {"SSH-2.0-OpenSSH_9.2", "HTTP/1.1 400 Bad Request", "220 mail.example.org"}) {
        client_wire wire(protocol::tcp);
        wire.receive(to_blob(words));
        CHECK(take_messages(wire).empty());
        CHECK(wire.now() == wire_state::failed);
        CHECK(wire.error() == client_error::garbage);
    }
}

TEST_CASE("RFC 8656 12.5: ChannelData comes without its padding to whoever expects it") {
    client_wire wire(protocol::tcp);
    wire.expect_channel_data();
    const blob data = to_blob(std::string("\x40\0\0\5hello\0\0\0", 12));
    for (int i = 0; i < 2; ++i) {
        wire.receive(data);
        CHECK(take_messages(wire) == std::vector<blob>{blob(data.begin(), data.begin() + 9)});
    }
}

TEST_CASE("what came before a stream ended is not lost") {
    client_wire wire(protocol::tcp);
    wire.receive(message(1));
    wire.end();
    CHECK(wire.now() == wire_state::ended);
    CHECK(take_messages(wire) == std::vector<blob>{message(1)});
    CHECK_FALSE(wire.send({.body = message(2)}));
}

TEST_CASE("RFC 6062 5: behind the last message of a stream the bytes are the peer's") {
    client_wire wire(protocol::tcp);
    blob stream = message(1);
    const blob data = to_blob("and then bytes of a peer");
    stream.insert(stream.end(), data.begin(), data.end());
    wire.receive(stream);
    REQUIRE(wire.next_message());
    wire.stop_framing();
    CHECK_FALSE(wire.next_message());
    blob room(8), heard;
    for (std::size_t n = wire.read(room); n > 0; n = wire.read(room))
        heard.insert(heard.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
    CHECK(heard == data);
    wire.receive(data);
    CHECK(wire.read(room) == 8);
    wire.end(); // the peer has said all it wanted to, which does not keep us from talking
    CHECK(wire.now() == wire_state::ended);
    CHECK(wire.send({.body = data}));
}

TEST_CASE("RFC 8489 6.2.3: messages in TLS, once the server has proven who it is") {
    const identity id;
    client_wire wire(protocol::tls, id.believed());
    CHECK(wire.now() == wire_state::opening);
    CHECK_FALSE(wire.send({.body = message(9)}));
    net::tls_session server(*load({id.files}));
    blob room(2 * net::tls_session::largest_record + 65'536), down, heard;
    const auto carry_all = [&] {
        for (;;) {
            const auto up = take_writes(wire);
            if (up.empty() && down.empty()) return;
            for (const auto& piece : up) {
                const auto n = server.receive(piece, room, down);
                heard.insert(heard.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
            }
            if (!down.empty()) wire.receive(std::exchange(down, {}));
        }
    };
    carry_all();
    CHECK(wire.now() == wire_state::open);
    REQUIRE(wire.send({.body = message(1)}));
    carry_all();
    CHECK(heard == message(1));
    REQUIRE(server.send({.body = message(2)}, down));
    wire.receive(std::exchange(down, {}));
    CHECK(take_messages(wire) == std::vector<blob>{message(2)});
    server.close(down);
    wire.receive(std::exchange(down, {}));
    CHECK(wire.now() == wire_state::ended);
}

TEST_CASE("RFC 7350 3: messages in DTLS, a record each, in flights that cross any link") {
    const identity id({.rsa_bits = 2048}); // a flight of several datagrams
    client_wire wire(protocol::dtls, id.believed());
    test::dtls_server server(id.files);
    const auto hello = take_writes(wire);
    REQUIRE(hello.size() == 1);
    CHECK(hello[0].size() <= 1232);
    server.receive(hello[0]);
    wire.receive(server.to_send());
    carry(wire, server);
    REQUIRE(wire.now() == wire_state::open);
    CHECK(server.open());
    CHECK(server.name_wanted() == "turn.example.org");

    const blob data = to_blob("payload");
    REQUIRE(wire.send({.head = bytes(message(0)).first(4), .body = data, .pad = 1}));
    REQUIRE(wire.send({.body = message(1)}));
    CHECK(take_messages(wire).empty());
    carry(wire, server);
    REQUIRE(server.received().size() == 2);
    CHECK(server.received()[0].size() == 12);
    CHECK(server.received()[1] == message(1));

    server.send(message(2));
    server.send(message(3));
    wire.receive(server.to_send()); // two records in one datagram
    CHECK(take_messages(wire) == std::vector<blob>{message(2), message(3)});

    wire.receive(to_blob("no record at all"));
    CHECK(take_messages(wire).empty());
    CHECK(wire.now() == wire_state::open);

    CHECK(wire.send({.body = blob(20'000)}).error() == errc::no_capacity);
    CHECK(wire.now() == wire_state::open);

    wire.close();
    carry(wire, server);
    CHECK(server.closed());
}

TEST_CASE("RFC 7350 3: a DTLS server says close_notify, and the wire has ended") {
    const identity id;
    client_wire wire(protocol::dtls, id.believed());
    test::dtls_server server(id.files);
    carry(wire, server);
    server.close();
    wire.receive(server.to_send());
    CHECK(wire.now() == wire_state::ended);
    CHECK_FALSE(wire.send({.body = message(1)}));
}

TEST_CASE("RFC 6347 4.2.4: a DTLS handshake waits for its answer, and for nothing when it is over") {
    const identity id;
    const time_point now{};
    client_wire wire(protocol::dtls, id.believed());
    test::dtls_server server(id.files);
    CHECK(wire.next_deadline(now) > now);
    CHECK(wire.next_deadline(now) <= now + std::chrono::seconds(1));
    wire.tick(now); // too early
    const auto hello = take_writes(wire);
    REQUIRE(hello.size() == 1);
    server.receive(hello[0]);
    wire.receive(server.to_send());
    carry(wire, server);
    CHECK(wire.now() == wire_state::open);
    CHECK(wire.next_deadline(now) == time_point::max());
}

TEST_CASE("RFC 8489 6.2.3: over DTLS as over TLS a server that cannot prove its name is not spoken to") {
    const identity other({.names = {"other.example.org"}});
    const identity stranger;
    for (const bool datagrams : {false, true}) {
        const auto meet = [&](const client_wire::secret& with, const certificate_files& files) {
            client_wire wire(datagrams ? protocol::dtls : protocol::tls, with);
            if (datagrams) {
                test::dtls_server server(files);
                carry(wire, server);
            } else {
                net::tls_session server(*load({files}));
                blob room(2 * net::tls_session::largest_record + 65'536), down;
                for (int i = 0; i < 4 && wire.now() == wire_state::opening; ++i) {
                    for (const auto& piece : take_writes(wire)) server.receive(piece, room, down);
                    wire.receive(std::exchange(down, {}));
                }
            }
            CHECK(wire.now() == wire_state::failed);
            REQUIRE(wire.failure() != nullptr);
            CHECK(std::string(wire.failure()) == "certificate verify failed");
            return wire.error();
        };
        CHECK(meet(other.believed(), other.files) == client_error::wrong_name);
        CHECK(meet(other.believed("other.example.org"), stranger.files) == client_error::untrusted_certificate);
    }
}

TEST_CASE("whoever wants no proof of the server's name gets none") {
    const identity id({.names = {"other.example.org"}});
    const auto trust = client_trust::load({}, client_trust::proof::unneeded);
    REQUIRE(trust);
    client_wire wire(protocol::dtls, client_wire::secret{*trust, "turn.example.org", ""});
    test::dtls_server server(id.files);
    carry(wire, server);
    CHECK(wire.now() == wire_state::open);
}

TEST_CASE("authorities that cannot be read are said by name") {
    const auto trust = client_trust::load("/nowhere/ca.pem");
    REQUIRE_FALSE(trust);
    CHECK(trust.error().find("/nowhere/ca.pem") == 0);
}

TEST_CASE("RFC 7301 3.1: TLS offers the protocol it came for") {
    const identity id;
    auto with = id.believed();
    for (const auto& [application, accepted] : {std::pair{"stun.turn", true}, std::pair{"http/1.1", false}}) {
        with.application = application;
        client_wire wire(protocol::tls, with);
        net::tls_session server(*load({id.files})); // which takes none but STUN's: RFC 7443
        blob room(2 * net::tls_session::largest_record + 65'536), down;
        for (int i = 0; i < 4 && wire.now() == wire_state::opening; ++i) {
            for (const auto& piece : take_writes(wire)) server.receive(piece, room, down);
            wire.receive(std::exchange(down, {}));
        }
        CHECK((wire.now() == wire_state::open) == accepted);
    }
}

TEST_CASE("errors have words, and ERROR-CODEs their names") {
    CHECK(refused_with(437).message() == "437 Allocation Mismatch");
    CHECK(refused_with(499).message() == "499");
    CHECK(std::string(refused_with(437).category().name()) == "stun");
    CHECK(make_error_code(client_error::no_allocation).message() == "there is no allocation");
    CHECK(std::error_code(client_error::closed) == client_error::closed);
}
