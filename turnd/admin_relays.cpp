#include "admin_relays.hpp"

#include <algorithm>
#include <array>

#include "counted_names.hpp"
#include "json_text.hpp"
#include "turn/verdict.hpp"

namespace turnd {
namespace {

using json = nlohmann::ordered_json;

constexpr std::array<const char*, static_cast<std::size_t>(turn::request_method::count_)> methods{
    "binding", "allocate", "refresh", "createPermission", "channelBind", "connect", "connectionBind"};
using counted::directions;

json relayed_addresses(const turn::allocation_report& r) {
    json list = json::array({r.relayed.to_string()});
    if (r.relayed_additional.port != 0) list.push_back(r.relayed_additional.to_string());
    return list;
}

/// A peer the client has a channel to has a port, one it has a permission for has none.
json peers(const std::vector<turn::transport_address>& all) {
    json list = json::array();
    for (const auto& peer : all) list.push_back(peer.port == 0 ? peer.ip_to_string() : peer.to_string());
    return list;
}

json permissions(const turn::allocation_report& r) {
    json list = json::array();
    for (const auto& p : r.permissions)
        list.push_back({{"peer", p.peer.ip_to_string()}, {"expiresInSeconds", p.expires_in.count()}});
    return list;
}

json channels(const turn::allocation_report& r) {
    json list = json::array();
    for (const auto& c : r.channels)
        list.push_back(
            {{"number", c.number}, {"peer", c.peer.to_string()}, {"expiresInSeconds", c.expires_in.count()}});
    return list;
}

/// With peers of a TCP allocation: joined to a client's, or not.
std::size_t connections(const turn::allocation_report& r, bool bound) {
    return static_cast<std::size_t>(std::ranges::count(r.connections, bound, &turn::peer_connection_report::bound));
}

json connections(const turn::allocation_report& r) {
    json list = json::array();
    for (const auto& c : r.connections)
        list.push_back({{"peer", c.peer.to_string()},
                        {"bound", c.bound},
                        {"bytesUp", c.carried.bytes_up},
                        {"bytesDown", c.carried.bytes_down}});
    return list;
}

json requests(const turn::allocation_report& r) {
    json object;
    for (std::size_t m = 0; m < methods.size(); ++m) object[methods[m]] = r.requests[m];
    return object;
}

json refused(const turn::allocation_report& r) {
    json object = json::object();
    for (const auto& one : r.refused) object[std::string(turn::name(one.why))] = one.requests;
    return object;
}

json drops(const turn::allocation_report& r) {
    json object;
    for (const auto way : directions) object[std::string(way)] = json::object();
    for (const auto& one : r.dropped)
        object[std::string(directions[static_cast<std::size_t>(one.way)])][std::string(turn::name(one.why))] =
            one.packets;
    return object;
}

} // namespace

json relay_json(const turn::allocation_report& r) {
    return {{"id", static_cast<std::uint64_t>(r.id)},
            {"user", r.username},
            {"realm", r.realm},
            {"client", r.client.to_string()},
            {"transport", turn::name(r.protocol)},
            {"peerTransport", turn::name(r.relayed_protocol)},
            {"server", r.server.to_string()},
            {"relayedAddresses", relayed_addresses(r)},
            {"peers", peers(r.peers)},
            {"openPeerConnections", connections(r, true)},
            {"pendingPeerConnections", connections(r, false)},
            {"packetsUp", r.used.packets_up},
            {"bytesUp", r.used.bytes_up},
            {"packetsDown", r.used.packets_down},
            {"bytesDown", r.used.bytes_down},
            {"ageSeconds", r.used.age.count()},
            {"expiresInSeconds", r.expires_in.count()},
            {"verdict", turn::name(r.used.verdict)}};
}

std::string relays_json(std::vector<turn::allocation_report> all, std::size_t limit) {
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    json list = json::array();
    for (std::size_t i = 0; i < std::min(limit, all.size()); ++i) list.push_back(relay_json(all[i]));
    return json_line({{"relays", std::move(list)}, {"more", all.size() > limit}});
}

std::string relay_details_json(const turn::allocation_report& r) {
    json object = relay_json(r);
    object["account"] = r.account;
    object["permissions"] = permissions(r);
    object["channels"] = channels(r);
    object["peerConnections"] = connections(r);
    object["requests"] = requests(r);
    object["refused"] = refused(r);
    object["drops"] = drops(r);
    return json_line(object);
}

} // namespace turnd
