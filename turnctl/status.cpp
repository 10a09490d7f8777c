/// turnctl status: what a turnd does just now.

#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "turnctl/api.hpp"
#include "turnctl/verb.hpp"
#include "turnctl/words.hpp"

namespace turnctl {
namespace {

using json = nlohmann::ordered_json;
using rows = std::vector<std::vector<std::string>>;

std::string address(const json& ip, const json& port) {
    const std::string text = shown(ip);
    const bool ipv4 = text.find(':') == std::string::npos;
    return fmt::format("{}:{}", ipv4 ? text : "[" + text + "]", port.get<unsigned>());
}

std::string traffic(const json& of) {
    return fmt::format("{} packets, {}", of.at("packets").get<std::uint64_t>(),
                       bytes_in_words(of.at("bytes").get<std::uint64_t>()));
}

void add_places(const json& status, rows& lines) {
    for (const auto& l : status.at("listeners"))
        lines.push_back({"listening", fmt::format("{} {}  {}", address(l.at("address"), l.at("port")),
                                                  shown(l.at("transport")), shown(l.at("realm")))});
    for (const auto& r : status.at("relayAddresses")) {
        const std::string bind = shown(r.at("address")), told = shown(r.at("advertised"));
        lines.push_back({"relaying at", bind == told ? bind : fmt::format("{}, told to clients as {}", bind, told)});
    }
}

/// Only where there is, or was, any.
void add_tcp_relays(const json& tcp, rows& lines) {
    const auto number = [&](const char* name) { return tcp.at(name).get<std::uint64_t>(); };
    if (number("relays") + number("bytesUp") + number("bytesDown") == 0) return;
    lines.push_back(
        {"tcp relays", fmt::format("{} of them; connections with peers: {} open, {} pending; {} up, {} down",
                                   number("relays"), number("openPeerConnections"), number("pendingPeerConnections"),
                                   bytes_in_words(number("bytesUp")), bytes_in_words(number("bytesDown")))});
}

void add_numbers(const json& status, rows& lines) {
    const json& ports = status.at("ports");
    const json& traffic_of = status.at("traffic");
    lines.push_back({"clients", std::to_string(status.at("activeClients").get<std::uint64_t>())});
    lines.push_back(
        {"relays", fmt::format("{} of {}, by {}", status.at("numAllocations").get<std::uint64_t>(),
                               status.at("capacity").get<std::uint64_t>(), counts(status.at("relays"), "nothing"))});
    add_tcp_relays(status.at("tcpRelays"), lines);
    lines.push_back(
        {"relay ports",
         fmt::format("{}, of {}-{}",
                     counts({{"used", ports.at("used")}, {"free", ports.at("free")}, {"peak", ports.at("peak")}}, ""),
                     ports.at("min").get<unsigned>(), ports.at("max").get<unsigned>())});
    lines.push_back({"connections", counts(status.at("connections"), "none")});
    lines.push_back({"relayed up", traffic(traffic_of.at("relayedUp"))});
    lines.push_back({"relayed down", traffic(traffic_of.at("relayedDown"))});
    for (const char* way : {"up", "down", "control"})
        if (const json& drops = status.at("drops").at(way); !drops.empty())
            lines.push_back({fmt::format("dropped {}", way), counts(drops, "")});
    if (const json& refused = status.at("refused"); !refused.empty()) lines.push_back({"refused", counts(refused, "")});
}

std::string in_words(const json& status) {
    rows lines;
    lines.push_back({"turnd", fmt::format("{}, up {}{}", shown(status.at("version")),
                                          seconds_in_words(status.at("uptimeSeconds").get<std::int64_t>()),
                                          status.at("draining").get<bool>() ? ", draining: no new relays" : "")});
    add_places(status, lines);
    add_numbers(status, lines);
    return table(lines);
}

} // namespace

verb add_status(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("status", "Listeners, clients, relays, ports and traffic of a running turnd");
    const auto flags = std::make_shared<api_flags>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, *flags);
    return {command, [flags](console& to) { return ask_and_show(*flags, "GET", "/api/v1/status", to, in_words); }};
}

} // namespace turnctl
