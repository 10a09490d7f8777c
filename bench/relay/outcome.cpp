#include "outcome.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace turn::bench {
namespace {

double seconds(std::chrono::nanoseconds d) {
    return std::chrono::duration<double>(d).count();
}
double microseconds(std::chrono::nanoseconds d) {
    return std::chrono::duration<double, std::micro>(d).count();
}

nlohmann::ordered_json to_json(const resident& r) {
    return {{"rss", r.all}, {"anonymous", r.anonymous}};
}

/// What was added since `before`, for each of `count`; null for none.
nlohmann::ordered_json share(std::uint64_t before, std::uint64_t now, std::uint64_t count) {
    if (count == 0) return {};
    return (static_cast<double>(now) - static_cast<double>(before)) / static_cast<double>(count);
}

/// Growth is a share of what there was before.
nlohmann::ordered_json churn_to_json(const memory_use& m) {
    return {{"before", to_json(m.before)},
            {"after", to_json(m.after)},
            {"growth", share(m.before.all, m.after.all, m.before.all)}};
}

nlohmann::ordered_json to_json(const fairness& f) {
    auto sorted = f.equals;
    std::ranges::sort(sorted);
    return {
        {"equals", sorted.size()},
        {"jain", jain_index(sorted)},
        {"delivered_to_each", {{"min", sorted.front()}, {"median", sorted[sorted.size() / 2]}, {"max", sorted.back()}}},
        {"flood",
         {{"sent", f.flood_sent},
          {"skipped", f.flood_skipped},
          {"relayed", f.flood_relayed},
          {"relayed_share", share(0, f.flood_relayed, f.flood_sent)}}}};
}

nlohmann::ordered_json to_json(const memory_use& m, std::uint64_t allocations) {
    return {{"allocations", allocations},
            {"before", to_json(m.before)},
            {"full", to_json(m.full)},
            {"after", to_json(m.after)},
            {"bytes_per_allocation", share(m.before.all, m.full.all, allocations)},
            {"anonymous_bytes_per_allocation", share(m.before.anonymous, m.full.anonymous, allocations)}};
}

nlohmann::ordered_json object_of(const load_options& o, const outcome& r) {
    nlohmann::ordered_json j;
    j["workload"] = name(o.work);
    j["clients"] = o.clients;
    if (o.relays()) j["size"] = o.size;
    j["burst"] = o.burst;
    j["rate"] = o.rate;
    j["segmentation"] = o.segmentation;
    j["client"] = name(o.client);
    if (!r.cipher.empty()) j["cipher"] = r.cipher;
    j["valid"] = r.valid();
    j["window_s"] = seconds(r.clocks.window());
    j["units"] = r.units();
    if (o.relays()) j["delivered"] = {{"up", r.delivered[0]}, {"down", r.delivered[1]}};
    j["units_per_s"] = static_cast<double>(r.units()) / seconds(r.clocks.window());
    if (const auto cpu = r.clocks.server_cpu()) {
        j["server_cpu_s"] = seconds(*cpu);
        j["cpu_us_per_unit"] = r.units() == 0
                                   ? nlohmann::ordered_json()
                                   : nlohmann::ordered_json(microseconds(*cpu) / static_cast<double>(r.units()));
    }
    j["generator_cpu_s"] = seconds(r.clocks.own_cpu());
    j["sent"] = r.sent;
    j["lost"] = r.sent - r.arrived;
    j["loss"] = r.sent == 0 ? 0.0 : static_cast<double>(r.sent - r.arrived) / static_cast<double>(r.sent);
    j["skipped"] = r.skipped;
    j["duplicates"] = r.duplicates;
    j["reordered"] = r.reordered;
    j["wrong"] = r.wrong;
    j["failed"] = r.failed;
    if (!r.failure.empty()) j["failure"] = r.failure;
    j["dropped_by_generator"] = r.dropped_here;
    j["latency_us"] = {{"p50", microseconds(r.latency.quantile(0.5))},
                       {"p99", microseconds(r.latency.quantile(0.99))},
                       {"p99.9", microseconds(r.latency.quantile(0.999))},
                       {"max", microseconds(r.latency.largest())}};
    if (r.fair) {
        j["flood_rate"] = o.flood_rate;
        j["fairness"] = to_json(*r.fair);
    }
    if (o.work == workload::memory) j["memory"] = to_json(*r.memory, r.delivered[0]);
    if (o.work == workload::tcp_relay) {
        j["bytes"] = {{"up", r.total_arrived[0]}, {"down", r.total_arrived[1]}};
        if (const auto cpu = r.clocks.server_cpu())
            j["cpu_s_per_gb"] = 1e9 * seconds(*cpu) / static_cast<double>(r.total_arrived[0] + r.total_arrived[1]);
    }
    if (o.work == workload::churn) {
        j["cycles"] = o.cycles;
        j["memory"] = churn_to_json(*r.memory);
    }
    if (o.relays())
        j["whole_run"] = {{"sent", {{"up", r.total_sent[0]}, {"down", r.total_sent[1]}}},
                          {"arrived", {{"up", r.total_arrived[0]}, {"down", r.total_arrived[1]}}}};
    return j;
}

/// The server's CPU time is that of all parts together.
nlohmann::ordered_json to_json(const std::vector<outcomes::part>& parts) {
    auto all = nlohmann::ordered_json::array();
    for (const outcomes::part& each : parts) {
        auto one = object_of(each.options, each.found);
        for (const char* const shared : {"server_cpu_s", "cpu_us_per_unit", "generator_cpu_s"}) one.erase(shared);
        all.push_back(std::move(one));
    }
    return all;
}

} // namespace

std::string to_json(const load_options& o, const outcomes& r) {
    auto j = object_of(o, r.all);
    if (!r.parts.empty()) j["parts"] = to_json(r.parts);
    return j.dump();
}

} // namespace turn::bench
