#include <doctest/doctest.h>

#include <optional>

#include "admin_http.hpp"
#include "turnctl_console.hpp"
#include "turnd_admin_room.hpp"
#include "turnd_room.hpp"

using turnctl::test::told;
using turnd::test::room;

namespace {

using namespace std::chrono_literals;

turn::transport_address at(std::string_view text) {
    return *turn::transport_address::parse(text);
}

turn::allocation_report relay(std::uint64_t id, std::string user) {
    turn::allocation_report r;
    r.id = static_cast<turn::allocation_id>(id);
    r.username = std::move(user);
    r.realm = "example.org";
    r.client = at("198.51.100.7:40000");
    r.server = at("192.0.2.1:3478");
    r.relayed = at("192.0.2.1:24000");
    r.used = {.packets_up = 1, .bytes_up = 2, .packets_down = 3, .bytes_down = 4, .age = 5s};
    r.expires_in = 595s;
    return r;
}

/// ann relays UDP, and bob TCP, from behind TLS.
class server {
public:
    server() {
        world_.numbers = turnd::test::some_numbers;
        world_.allocations = [](const turn::allocation_filter& which, std::size_t) {
            turn::allocation_report bob = relay(8, "bob");
            bob.protocol = turn::transport::tls;
            bob.relayed_protocol = turn::transport::tcp;
            bob.used = {.bytes_up = 1500, .bytes_down = 2500, .age = 5s};
            bob.connections = {{at("203.0.113.5:80"), true, {1500, 2500}}, {at("203.0.113.6:80"), false, {}}};
            return which.id ? std::vector{bob} : std::vector{relay(7, "ann"), bob};
        };
        auto service = turnd::http_service::start({place_.path("turnd.sock"), {}},
                                                  [this](const turnd::admin_request& r) { return answer(world_, r); });
        REQUIRE(service);
        service_.emplace(*std::move(service));
    }
    [[nodiscard]] std::string says(std::vector<std::string> words) const {
        words.insert(words.end(), {"--socket", place_.path("turnd.sock")});
        const auto said = told(std::move(words));
        CHECK(said.err.empty());
        return said.out;
    }

private:
    room place_{};
    turnd::admin_world world_{};
    std::optional<turnd::http_service> service_{};
};

} // namespace

TEST_CASE("turnctl: a relay that speaks TCP to its peers is told from others, with its connections") {
    const server turnd;
    CHECK(
        turnd.says({"relays"}) ==
        "ID  USER  CLIENT              VIA  RELAYED              PEERS  CONNECTIONS        UP              DOWN       "
        "     AGE  EXPIRES IN  VERDICT\n"
        "7   ann   198.51.100.7:40000  udp  192.0.2.1:24000      -      -                  1 packets, 2 B  3 packets, "
        "4 B  5 s  9 min 55 s  ok\n"
        "8   bob   198.51.100.7:40000  tls  192.0.2.1:24000 tcp  -      1 open, 1 pending  1.5 kB          2.5 kB     "
        "     5 s  9 min 55 s  ok\n");
    const std::string one = turnd.says({"relay", "8"});
    CHECK(one.find("relayed     192.0.2.1:24000 tcp\n") != one.npos);
    CHECK(one.find("connection  203.0.113.5:80 open, 1.5 kB up, 2.5 kB down\n") != one.npos);
    CHECK(one.find("connection  203.0.113.6:80 pending, 0 B up, 0 B down\n") != one.npos);
}

TEST_CASE("turnctl: the status says how much is relayed over TCP") {
    const server turnd;
    const std::string status = turnd.says({"status"});
    CHECK(status.find(
              "tcp relays       1 of them; connections with peers: 3 open, 2 pending; 4.0 kB up, 5.0 kB down\n") !=
          status.npos);
}
