#include "mix.hpp"

#include <algorithm>
#include <memory>

#include "relaying.hpp"
#include "requests.hpp"

namespace turn::bench {
namespace {

load_options part(const load_options& mix, workload work, std::size_t clients, double rate) {
    load_options o = mix;
    o.work = work;
    o.clients = std::max<std::size_t>(clients, 1);
    o.peers = std::min<std::size_t>(o.clients, 64);
    o.rate = rate;
    return o;
}

/// For each 25 clients with sound: one with pictures, too, five by TCP, 50 Bindings and five allocations a second.
std::vector<load_options> parts_of(const load_options& mix) {
    const auto n = static_cast<double>(mix.clients);
    auto video = part(mix, workload::video, mix.clients / 25, mix.rate * 6);
    video.size = 1200;
    video.burst = 10;
    auto tcp = part(mix, workload::audio, mix.clients / 5, mix.rate);
    tcp.client = transport::tcp;
    if (mix.tcp_server.port != 0) tcp.server = mix.tcp_server;
    return {part(mix, workload::audio, mix.clients, mix.rate), video, tcp,
            part(mix, workload::binding, mix.clients / 5, n * 2),
            part(mix, workload::allocate, mix.clients / 5, n / 5)};
}

void add(outcome& all, const outcome& one) {
    for (std::size_t way = 0; way < all.delivered.size(); ++way) {
        all.delivered[way] += one.delivered[way];
        all.total_sent[way] += one.total_sent[way];
        all.total_arrived[way] += one.total_arrived[way];
    }
    all.sent += one.sent;
    all.arrived += one.arrived;
    all.skipped += one.skipped;
    all.duplicates += one.duplicates;
    all.reordered += one.reordered;
    all.wrong += one.wrong;
    all.latency.add(one.latency);
}

} // namespace

outcomes run_mix(const load_options& o) {
    const auto options = parts_of(o);
    std::vector<std::unique_ptr<relaying>> relayed;
    std::vector<std::unique_ptr<requests>> answered;
    std::vector<load*> loads;
    for (const load_options& each : options) {
        if (each.relays())
            loads.push_back(relayed.emplace_back(std::make_unique<relaying>(each)).get());
        else
            loads.push_back(answered.emplace_back(std::make_unique<requests>(each)).get());
    }
    run_window(o, loads);

    outcomes found;
    outcome& all = found.all;
    for (const auto& each : relayed) {
        found.parts.push_back({options[found.parts.size()], each->end()});
        add(all, found.parts.back().found);
    }
    for (const auto& each : answered) found.parts.push_back({options[found.parts.size()], each->end()});
    for (const outcomes::part& each : found.parts) {
        all.dropped_here += each.found.dropped_here;
        all.failed += each.found.failed;
        if (all.failure.empty()) all.failure = each.found.failure;
    }
    all.clocks = found.parts.front().found.clocks;
    return found;
}

} // namespace turn::bench
