/// Asking a running server about its allocations, from other threads.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "support/real_client.hpp"
#include "support/real_server.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

std::vector<std::unique_ptr<real_client>> clients_of(const server& s, std::size_t count) {
    std::vector<std::unique_ptr<real_client>> clients;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string name = i % 2 == 0 ? "ann" : "bob";
        clients.push_back(std::make_unique<real_client>(listener_of(s), name, name + "'s password"));
        REQUIRE(clients.back()->allocate());
    }
    return clients;
}

} // namespace

TEST_CASE("server: the allocations of all shards are reported, each once, by user, client or id") {
    auto o = on_loopback();
    o.threads = 3;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto clients = clients_of(*s, 16);
    const auto all = s->allocations();
    std::set<allocation_id> ids;
    for (const auto& r : all) ids.insert(r.id);
    CHECK(all.size() == 16);
    CHECK(ids.size() == 16);
    CHECK(s->allocations({.user = "ann"}).size() == 8);
    CHECK(s->allocations({.user = "ann", .realm = "elsewhere.example"}).empty());
    CHECK(s->allocations({.client = *transport_address::parse_ip("127.0.0.1")}).size() == 16);
    CHECK(s->allocations({.client = *transport_address::parse_ip("127.0.0.2")}).empty());
    CHECK(s->allocations({}, 5).size() == 5);
    CHECK(s->allocations({}, 0).empty());
    for (const auto& r : all) {
        const auto one = s->allocation(r.id);
        REQUIRE(one);
        CHECK(one->id == r.id);
        CHECK(one->client == r.client);
    }
    CHECK(!s->allocation(allocation_id{0}));
    CHECK(!s->allocation(allocation_id{1'000'000}));
}

TEST_CASE("server: an allocation is ended by its id, and its client hears 437") {
    attentive_observer events;
    auto o = on_loopback();
    o.threads = 2;
    o.events = &events;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto clients = clients_of(*s, 4);
    const auto id = s->allocations({.user = "bob"}).at(0).id;
    CHECK(s->end_allocation(id));
    CHECK(!s->end_allocation(id));
    CHECK(!s->end_allocation(allocation_id{0}));
    REQUIRE(events.ended().size() == 1);
    CHECK(events.ended()[0].id == id);
    CHECK(events.ended()[0].why == allocation_end::kicked);
    CHECK(s->allocation_count() == 3);
    int gone = 0;
    for (const auto& c : clients) {
        const auto refreshed = c->refresh(600s);
        if (!refreshed) ++gone;
        if (!refreshed) CHECK(refreshed.error() == 437);
    }
    CHECK(gone == 1);
}

TEST_CASE("server: a snapshot of more allocations than fit into one look is whole") {
    auto o = on_loopback();
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto clients = clients_of(*s, 600);
    CHECK(s->allocations().size() == 600);
    CHECK(s->allocations({.user = "bob"}).size() == 300);
    const auto last = s->allocations({.user = "bob"}).back();
    CHECK(s->end_allocation(last.id));
    CHECK(s->allocations().size() == 599);
}

TEST_CASE("server: who asks while it stops, or afterwards, gets an answer") {
    auto o = on_loopback();
    o.threads = 2;
    auto s = server::start(std::move(o));
    REQUIRE(s);
    const auto clients = clients_of(*s, 8);
    const auto id = s->allocations().at(0).id;
    std::atomic<bool> ending{false};
    std::vector<std::thread> askers;
    for (int i = 0; i < 3; ++i)
        askers.emplace_back([&] {
            while (!ending) {
                CHECK(s->allocations().size() <= 8);
                (void)s->allocation(id);
            }
            CHECK(s->allocations().empty());
        });
    s->stop();
    ending = true;
    for (auto& asker : askers) asker.join();
    CHECK(s->allocations().empty());
    CHECK(!s->allocation(id));
    CHECK(!s->end_allocation(id));
}
