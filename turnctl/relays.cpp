/// turnctl relays, turnctl relay ID: who relays what.

#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "admin_target.hpp"
#include "turnctl/api.hpp"
#include "turnctl/verb.hpp"
#include "turnctl/words.hpp"

namespace turnctl {
namespace {

using json = nlohmann::ordered_json;
using rows = std::vector<std::vector<std::string>>;

struct relays_options {
    api_flags api{};
    std::string user{}, realm{}, client{}, limit{};
};

struct relay_options {
    api_flags api{};
    std::string id{};
};

std::string joined(const json& list) {
    std::string text;
    for (const auto& one : list) text += (text.empty() ? "" : ", ") + shown(one);
    return text.empty() ? "-" : text;
}

bool is_tcp(const json& relay) {
    return relay.at("peerTransport") == "tcp";
}

/// As its peers see it.
std::string relayed(const json& relay) {
    return joined(relay.at("relayedAddresses")) + (is_tcp(relay) ? " tcp" : "");
}

/// Of a TCP relay with its peers.
std::string connections(const json& relay) {
    if (!is_tcp(relay)) return "-";
    return fmt::format("{} open, {} pending", relay.at("openPeerConnections").get<std::uint64_t>(),
                       relay.at("pendingPeerConnections").get<std::uint64_t>());
}

/// A stream has no packets.
std::string traffic(const json& relay, const char* packets, const char* bytes) {
    if (is_tcp(relay)) return bytes_in_words(relay.at(bytes).get<std::uint64_t>());
    return fmt::format("{} packets, {}", relay.at(packets).get<std::uint64_t>(),
                       bytes_in_words(relay.at(bytes).get<std::uint64_t>()));
}

std::string time(const json& seconds) {
    return seconds_in_words(seconds.get<std::int64_t>());
}

std::string relays_in_words(const json& answer) {
    rows lines{{"ID", "USER", "CLIENT", "VIA", "RELAYED", "PEERS", "CONNECTIONS", "UP", "DOWN", "AGE", "EXPIRES IN",
                "VERDICT"}};
    for (const auto& r : answer.at("relays"))
        lines.push_back({std::to_string(r.at("id").get<std::uint64_t>()), shown(r.at("user")), shown(r.at("client")),
                         shown(r.at("transport")), relayed(r), joined(r.at("peers")), connections(r),
                         traffic(r, "packetsUp", "bytesUp"), traffic(r, "packetsDown", "bytesDown"),
                         time(r.at("ageSeconds")), time(r.at("expiresInSeconds")), shown(r.at("verdict"))});
    if (lines.size() == 1) return "no relays\n";
    return table(lines) + (answer.at("more").get<bool>() ? "... and more: --limit N shows them\n" : "");
}

std::string relay_in_words(const json& r) {
    rows lines{
        {"relay", std::to_string(r.at("id").get<std::uint64_t>())},
        {"verdict", shown(r.at("verdict"))},
        {"user", fmt::format("{}  ({})", shown(r.at("user")), shown(r.at("realm")))},
        {"client", fmt::format("{} {} to {}", shown(r.at("client")), shown(r.at("transport")), shown(r.at("server")))},
        {"relayed", relayed(r)},
        {"peers", joined(r.at("peers"))},
        {"up", traffic(r, "packetsUp", "bytesUp")},
        {"down", traffic(r, "packetsDown", "bytesDown")},
        {"age", time(r.at("ageSeconds"))},
        {"expires in", time(r.at("expiresInSeconds"))}};
    for (const auto& p : r.at("permissions"))
        lines.push_back({"permission", fmt::format("{}, for {}", shown(p.at("peer")), time(p.at("expiresInSeconds")))});
    for (const auto& c : r.at("channels"))
        lines.push_back({"channel", fmt::format("0x{:04x} {}, for {}", c.at("number").get<unsigned>(),
                                                shown(c.at("peer")), time(c.at("expiresInSeconds")))});
    for (const auto& c : r.at("peerConnections"))
        lines.push_back({"connection", fmt::format("{} {}, {} up, {} down", shown(c.at("peer")),
                                                   c.at("bound").get<bool>() ? "open" : "pending",
                                                   bytes_in_words(c.at("bytesUp").get<std::uint64_t>()),
                                                   bytes_in_words(c.at("bytesDown").get<std::uint64_t>()))});
    lines.push_back({"requests", counts(r.at("requests"), "none")});
    lines.push_back({"refused", counts(r.at("refused"), "none")});
    for (const char* way : {"up", "down", "control"})
        if (const json& drops = r.at("drops").at(way); !drops.empty())
            lines.push_back({fmt::format("dropped {}", way), counts(drops, "")});
    return table(lines);
}

std::string target_of(const relays_options& o) {
    std::string query;
    for (const auto& [name, value] :
         {std::pair("user", &o.user), {"realm", &o.realm}, {"client", &o.client}, {"limit", &o.limit}})
        if (!value->empty())
            query += fmt::format("{}{}={}", query.empty() ? '?' : '&', name, turnd::percent_encode(*value));
    return "/api/v1/relays" + query;
}

} // namespace

verb add_relays(CLI::App& app) {
    CLI::App* command = app.add_subcommand("relays", "A line for each relay: user, client, peers, traffic, verdict");
    const auto o = std::make_shared<relays_options>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, o->api);
    command->add_option("--user", o->user, "Only of this user: the whole name, or what is behind its colon")
        ->type_name("NAME");
    command->add_option("--realm", o->realm, "Only of this realm")->type_name("NAME");
    command->add_option("--client", o->client, "Only of clients at this address")->type_name("IP");
    command->add_option("--limit", o->limit, "Lines at most; 100 if not given")->type_name("N");
    return {command, [o](console& to) { return ask_and_show(o->api, "GET", target_of(*o), to, relays_in_words); }};
}

verb add_relay(CLI::App& app) {
    CLI::App* command = app.add_subcommand("relay", "One relay: permissions, channels, requests, drops, verdict");
    const auto o = std::make_shared<relay_options>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, o->api);
    command->add_option("ID", o->id, "Of the relay: turnctl relays has them")->required();
    return {command, [o](console& to) {
                return ask_and_show(o->api, "GET", "/api/v1/relays/" + turnd::percent_encode(o->id), to,
                                    relay_in_words);
            }};
}

} // namespace turnctl
