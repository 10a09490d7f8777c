#include "turnctl/check/print.hpp"

#include <cmath>
#include <ostream>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "printable.hpp"

namespace turnctl::check {
namespace {

std::string_view name(severity s) noexcept {
    if (s == severity::note) return "note";
    return s == severity::warning ? "warning" : "critical";
}

std::string_view name(outcome o) noexcept {
    if (o == outcome::not_tried) return "not-tried";
    return o == outcome::good ? "ok" : "failed";
}

std::string_view name(echo_peer p) noexcept {
    return p == echo_peer::own_socket ? "own-socket" : "second-relay";
}

/// To a hundredth: a network's round trip is no more exact.
double rounded(double milliseconds) noexcept {
    return std::round(milliseconds * 100) / 100;
}

void line(std::ostream& out, std::string_view field, std::string_view value) {
    out << fmt::format("  {:<18}{}\n", field, value);
}

void print_steps(std::ostream& out, const report& r) {
    std::string all;
    for (std::size_t i = 0; i < step_count; ++i) {
        const auto s = static_cast<step>(i);
        if (r.of(s) == outcome::not_tried) continue;
        all += fmt::format("{}{} {}", all.empty() ? "" : ", ", name(s), name(r.of(s)));
    }
    line(out, "steps", all);
}

} // namespace

void print(std::ostream& out, const report& r) {
    out << fmt::format("{}\n", turnd::printable(r.uri));
    if (r.server) line(out, "server", fmt::format("{} over {}", r.server->to_string(), r.transport));
    line(out, "reachable", r.reachable ? "yes" : "no");
    if (r.round_trip_ms) line(out, "roundTripTimeMs", fmt::format("{}", rounded(*r.round_trip_ms)));
    if (r.mapped) {
        line(out, "mappedAddress", r.mapped->ip_to_string());
        line(out, "mappedPortNumber", fmt::format("{}", r.mapped->port));
    }
    if (!r.realm.empty()) line(out, "realm", turnd::printable(r.realm));
    if (r.relayed) {
        line(out, "relayedAddress", r.relayed->ip_to_string());
        line(out, "relayedPortNumber", fmt::format("{}", r.relayed->port));
    }
    if (r.allocations) line(out, "numAllocations", fmt::format("{}", *r.allocations));
    if (r.peer != echo_peer::none) line(out, "echoPeer", name(r.peer));
    print_steps(out, r);
    for (const finding& f : r.findings) {
        line(out, name(f.weight), fmt::format("{}: {}", f.code, f.what));
        line(out, "", f.remedy);
    }
    line(out, "verdict", r.verdict());
}

nlohmann::ordered_json to_json(const report& r) {
    nlohmann::ordered_json j{{"uri", r.uri}, {"transport", r.transport}};
    if (r.server) {
        j["serverAddress"] = r.server->ip_to_string();
        j["serverPortNumber"] = r.server->port;
    }
    j["reachable"] = r.reachable;
    if (r.round_trip_ms) j["roundTripTimeMs"] = rounded(*r.round_trip_ms);
    if (r.mapped) {
        j["mappedAddress"] = r.mapped->ip_to_string();
        j["mappedPortNumber"] = r.mapped->port;
    }
    if (!r.realm.empty()) j["realm"] = r.realm;
    if (r.relayed) {
        j["relayedAddress"] = r.relayed->ip_to_string();
        j["relayedPortNumber"] = r.relayed->port;
    }
    if (r.lifetime_seconds) j["lifetimeSeconds"] = *r.lifetime_seconds;
    if (r.certificate_seconds) j["certificateExpiresInSeconds"] = *r.certificate_seconds;
    if (r.allocations) j["numAllocations"] = *r.allocations;
    if (r.peer != echo_peer::none) j["echoPeer"] = name(r.peer);
    for (std::size_t i = 0; i < step_count; ++i) {
        const auto s = static_cast<step>(i);
        j["steps"][std::string(name(s))] = name(r.of(s));
    }
    j["findings"] = nlohmann::ordered_json::array();
    for (const finding& f : r.findings) {
        nlohmann::ordered_json one{{"severity", name(f.weight)}, {"code", f.code}, {"step", name(f.where)}};
        if (f.error_code != 0) one["errorCode"] = f.error_code;
        one["meaning"] = f.what;
        one["remedy"] = f.remedy;
        j["findings"].push_back(std::move(one));
    }
    j["verdict"] = r.verdict();
    j["exitStatus"] = static_cast<int>(r.weight());
    return j;
}

} // namespace turnctl::check
