/// A running server under bytes that mean it no good: nobody beside the attacker notices, and every datagram is in the
/// books.

#include <doctest/doctest.h>

#include <set>

#include "support/hostile_datagrams.hpp"
#include "support/real_server.hpp"

using namespace turn;
using namespace turn::test;

namespace {

/// All at one address that no other process uses, and no other address may be a peer: whatever a spoilt message comes
/// to mean, it stays here.
server_options on_own_loopback() {
    auto o = on_loopback();
    const auto here = own_loopback();
    o.listeners = {{.local = here}};
    o.relay_addresses = {{.bind = here}};
    o.relay.peers.public_peers = false;
    o.relay.peers.allow = {*address_prefix::parse(here.ip_to_string())};
    return o;
}

/// Ann with a channel, and her peer bob. Each payload says which it is, so one that is lost, doubled or spoilt shows.
class conversation {
public:
    explicit conversation(const transport_address& server) : ann_(server), bob_(own_loopback()) {
        const auto made = ann_.allocate();
        REQUIRE(made);
        relayed_ = made->relayed;
        REQUIRE(ann_.bind_channel(0x4000, bob_.local()));
    }
    /// One datagram each way; both arrive some time later.
    void speak() {
        ++said_;
        ann_.send(bob_.local(), *to_bob_.insert(line("ann")).first);
        bob_.send(relayed_, *to_ann_.insert(line("bob")).first);
    }
    /// Waits until all that was said has been heard.
    void hear_all() {
        // Others can reach bob and ann's relay, too: the attacker speaks from a relay at the same address.
        while (!to_bob_.empty()) hear(bob_.receive(), relayed_, to_bob_);
        while (!to_ann_.empty()) hear(ann_.receive(), bob_.local(), to_ann_);
    }
    [[nodiscard]] std::uint64_t said() const { return said_; }
    [[nodiscard]] const transport_address& relayed() const { return relayed_; }

private:
    [[nodiscard]] std::string line(std::string_view who) const {
        return std::string(who) + " says number " + std::to_string(said_) + std::string(said_ % 1000, '.');
    }
    static void hear(const std::optional<arrival>& heard, const transport_address& from, std::set<std::string>& open) {
        REQUIRE(heard); // nothing: a payload is lost
        if (heard->from == from) REQUIRE(open.erase(heard->text) == 1);
    }

    real_client ann_;
    real_peer bob_;
    transport_address relayed_{};
    std::uint64_t said_ = 0;
    std::set<std::string> to_bob_{}, to_ann_{};
};

/// The sockets of the attacker: clients, and one at the peers' address.
class attacker {
public:
    explicit attacker(const transport_address& server) : server_(server) {}

    /// What the server tells everybody, and a valid password.
    hostile_datagrams::insider learn() {
        test::message first(stun::message_class::request, stun::method::allocate, {});
        send(clients_[0], server_, first.view());
        const auto batch = clients_[0].receive(std::chrono::steady_clock::now() + patience);
        REQUIRE(batch.size() == 1);
        const answer challenge(batch[0].data, batch[0].from);
        const std::string realm(*challenge.get<stun::realm>());
        return {.username = "bob",
                .realm = realm,
                .nonce = std::string(*challenge.get<stun::nonce>()),
                .key = key_of({"bob", realm})->key,
                .peer = peer_.local()};
    }
    void send_to_server(bytes datagram) { send(clients_[next_++ % clients_.size()], server_, datagram); }
    /// From an address that has a permission, because somebody's peer is there, and from one that has none.
    void send_to_relay(const transport_address& relayed, bytes datagram) {
        send(peers_turn_ ? peer_ : clients_[0], relayed, datagram);
        peers_turn_ = !peers_turn_;
    }

private:
    static void send(real_socket& from, const transport_address& to, bytes datagram) {
        const turn::datagram d{.via = from.id(), .to = to, .body = datagram};
        from.send({&d, 1});
    }

    transport_address server_;
    std::array<real_socket, 4> clients_{real_socket(loopback()), real_socket(loopback()), real_socket(loopback()),
                                        real_socket(loopback())};
    real_socket peer_{own_loopback()};
    std::size_t next_ = 0;
    bool peers_turn_ = false;
};

std::uint64_t sum(const auto& numbers) {
    std::uint64_t all = 0;
    for (const auto n : numbers) all += n;
    return all;
}

/// turn/counters.hpp, from what the kernel gave to what it took.
void check_conservation(const server_totals& t) {
    const auto& r = t.relay;
    std::uint64_t answered = 0;
    for (const auto& results : r.requests) answered += sum(results);
    CHECK(t.net.received_packets == r.from_clients.packets + r.from_peers.packets);
    CHECK(r.from_clients.packets == r.relayed[0].packets + sum(r.dropped[0]) + answered + r.absorbed + r.pending);
    CHECK(r.from_peers.packets == r.relayed[1].packets + sum(r.dropped[1]));
    const std::array<std::uint64_t, direction_count> wanted{r.relayed[0].packets, r.relayed[1].packets,
                                                            answered + r.icmp.relayed};
    for (std::size_t way = 0; way < direction_count; ++way)
        CHECK(t.net.sent_packets[way] + sum(t.net.dropped[way]) == wanted[way]);
    CHECK(t.net.kernel_drops == 0);
    CHECK(t.net.receive_truncated == 0);
}

} // namespace

TEST_CASE("server: 100 000 hostile datagrams cost a relay beside them nothing and are all in the books") {
    auto s = server::start(on_own_loopback());
    REQUIRE(s);
    const auto listener = s->description().listeners.front().local;
    conversation talk(listener);
    attacker mallory(listener);
    hostile_datagrams datagrams(20241121, mallory.learn());
    const auto before = s->totals().relay;

    // A relay socket has the system's buffer, at least 200 kB: a window of datagrams fits into each socket whatever the
    // kernel charges for one, and closes when the last words said, which queue behind it, have been heard.
    constexpr std::size_t window = 96 * 1024;
    std::uint64_t to_server = 0;
    std::uint64_t to_relay = 0;
    for (std::size_t under_way = 0; to_server + to_relay < 100'000;) {
        const blob datagram = datagrams.next();
        if (const std::size_t cost = 1024 + 2 * datagram.size(); under_way + cost > window) {
            talk.speak();
            talk.hear_all();
            under_way = cost;
        } else {
            under_way += cost;
        }
        const std::uint64_t sent = to_server + to_relay;
        if (sent % 16 == 7) {
            mallory.send_to_relay(talk.relayed(), datagram);
            ++to_relay;
        } else {
            mallory.send_to_server(datagram);
            ++to_server;
        }
        if (sent % 8 == 3) talk.speak();
    }
    // Loopback keeps the order but when a thread changes its core: until the last one is in.
    const auto until = std::chrono::steady_clock::now() + patience;
    do {
        talk.speak();
        talk.hear_all();
    } while (s->totals().relay.from_clients.packets < before.from_clients.packets + to_server + talk.said() &&
             std::chrono::steady_clock::now() < until);
    s->stop();

    const auto after = s->totals();
    CHECK(after.relay.from_clients.packets == before.from_clients.packets + to_server + talk.said());
    CHECK(after.relay.from_peers.packets >= to_relay + talk.said()); // and what mallory's relays heard
    CHECK(after.relay.pending == 0);
    check_conservation(after);
    CHECK(after.relay.allocations == 0);
    CHECK(after.quota_in_use == 0);
    CHECK(talk.said() > 10'000);

    // The attack is worth something only when it gets everywhere.
    for (std::size_t i = 0; i < after.relay.requests.size(); ++i) {
        const auto method = static_cast<request_method>(i);
        if (method == request_method::connect || method == request_method::connection_bind) continue; // unknown to it
        const auto& results = after.relay.requests[i];
        CHECK(results[static_cast<std::size_t>(request_result::success)] > 100);
        CHECK(sum(results) > 1000);
    }
    for (const reason why :
         {reason::malformed, reason::fingerprint_mismatch, reason::unknown_method, reason::unexpected_class,
          reason::truncated_data, reason::no_allocation, reason::no_permission, reason::no_channel, reason::no_data}) {
        CAPTURE(name(why));
        CHECK(after.relay.dropped[0][static_cast<std::size_t>(why)] > 10);
    }
    for (const reason why : {reason::first_challenge, reason::bad_password, reason::unknown_user,
                             reason::missing_attribute, reason::bad_attribute, reason::unknown_attribute,
                             reason::allocation_mismatch, reason::peer_denied, reason::unsupported_family}) {
        CAPTURE(name(why));
        CHECK(after.relay.refused[static_cast<std::size_t>(why)] > 10);
    }
    CHECK(after.relay.relayed[0].packets > talk.said() + 100);
    CHECK(after.relay.relayed[1].packets > talk.said() + 100);
    CHECK(after.relay.dropped[1][static_cast<std::size_t>(reason::no_permission)] > 100);
}
