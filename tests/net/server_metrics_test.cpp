/// What a running server says of itself in numbers beside its books.

#include <doctest/doctest.h>

#include <numeric>

#include "support/certificates.hpp"
#include "support/real_client.hpp"
#include "support/real_server.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;

namespace {

template <class Histogram>
std::uint64_t values_in(const Histogram& h) {
    return std::accumulate(h.counts.begin(), h.counts.end(), std::uint64_t{0});
}

} // namespace

TEST_CASE("server: every packet is in the histogram of batches, and some batches in that of latency") {
    auto s = server::start(on_loopback());
    REQUIRE(s);
    CHECK(values_in(s->totals().shards.batches) == 0);
    real_client ann(listener_of(*s));
    real_peer bob;
    const auto made = ann.allocate();
    REQUIRE(made);
    REQUIRE(ann.permit(bob.local()));
    for (int i = 0; i < 300; ++i) { // one at a time: at least as many batches
        ann.send(bob.local(), "hello");
        REQUIRE(bob.receive());
    }
    s->stop();
    const auto t = s->totals();
    CHECK(t.shards.batches.sum == t.relay.from_clients.packets + t.relay.from_peers.packets);
    const auto batches = values_in(t.shards.batches);
    CHECK(batches >= 300);
    CHECK(batches <= t.shards.batches.sum);
    const auto samples = values_in(t.shards.latencies);
    CHECK(samples == (batches + shard_totals::batches_per_sample - 1) / shard_totals::batches_per_sample);
    CHECK(t.shards.latencies.sum > 0);
}

TEST_CASE("server: it knows when the certificates of each TLS listener end, renewed ones too") {
    const certificate_authority authority;
    const certificate_folder folder;
    auto files = folder.files(authority.issue({.ends = 86'400s}));
    auto o = on_loopback();
    for (int i = 0; i < 2; ++i)
        o.listeners.push_back({.protocol = transport::tls, .local = loopback(), .certificates = {files}});
    o.certificate_check = 0s;
    auto s = server::start(o);
    REQUIRE(s);
    const auto days_left = [](const server::certificate_expiry& e) {
        return std::chrono::duration<double>(e.expires - std::chrono::system_clock::now()) / 24h;
    };
    auto all = s->certificate_expiries();
    REQUIRE(all.size() == 2); // of four listeners
    CHECK(all[0].listener.port != all[1].listener.port);
    for (const auto& e : all) CHECK(days_left(e) == doctest::Approx(1).epsilon(0.1));

    (void)folder.files(authority.issue({.ends = 10 * 86'400s}));
    CHECK(s->reload_certificates().empty());
    for (const auto& e : s->certificate_expiries()) CHECK(days_left(e) == doctest::Approx(10).epsilon(0.1));
}
