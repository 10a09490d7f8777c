#include "counters_file.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "counted_names.hpp"
#include "error_words.hpp"
#include "iso_time.hpp"

namespace turnd {
namespace {

using json = nlohmann::ordered_json;

using counted::directions;
using counted::methods;
using counted::results;

json by_reason(const std::array<std::uint64_t, turn::reason_count>& numbers) {
    json object = json::object();
    for (std::size_t i = 0; i < turn::reason_count; ++i)
        if (const auto why = static_cast<turn::reason>(i); why != turn::reason::none)
            object[std::string(turn::name(why))] = numbers[i];
    return object;
}

json traffic(const turn::relay_totals::traffic& t) {
    return {{"packets", t.packets}, {"bytes", t.bytes}};
}

json requests(const turn::relay_totals& books) {
    json object = json::object();
    for (std::size_t m = 0; m < methods.size(); ++m)
        for (std::size_t r = 0; r < results.size(); ++r)
            object[std::string(methods[m])][std::string(results[r])] = books.requests[m][r];
    return object;
}

json relay_books(const turn::relay_totals& books) {
    json object;
    object["allocations"] = books.allocations;
    for (const auto t : {turn::transport::udp, turn::transport::tcp, turn::transport::tls, turn::transport::dtls}) {
        const std::string over(turn::name(t));
        const auto i = static_cast<std::size_t>(t);
        object["allocations-over"][over] = books.allocations_over[i];
        object["relayed-addresses"][over] = {{"ipv4", books.relayed_addresses[i][0]},
                                             {"ipv6", books.relayed_addresses[i][1]}};
        for (std::size_t r = 0; r < results.size(); ++r)
            object["allocates"][over][std::string(results[r])] = books.allocates[i][r];
    }
    object["tcp-allocations"] = books.tcp_allocations;
    object["permissions"] = books.permissions;
    object["channels"] = books.channels;
    object["allocations-created"] = books.allocations_created;
    object["allocations-ended"] = books.allocations_ended;
    object["requests"] = requests(books);
    object["refused"] = by_reason(books.refused);
    object["from-clients"] = traffic(books.from_clients);
    object["from-peers"] = traffic(books.from_peers);
    for (std::size_t d = 0; d < books.relayed.size(); ++d) {
        object["relayed"][std::string(directions[d])] = traffic(books.relayed[d]);
        object["dropped"][std::string(directions[d])] = by_reason(books.dropped[d]);
    }
    object["peer-connections"] = {{"now", books.peer_connections},
                                  {"bound", books.peer_connections_bound},
                                  {"asked-for", books.peer_connections_made[0]},
                                  {"came", books.peer_connections_made[1]},
                                  {"closed", by_reason(books.peer_connections_closed)}};
    object["absorbed"] = books.absorbed;
    object["pending"] = books.pending;
    object["icmp"] = {{"received", books.icmp.received}, {"relayed", books.icmp.relayed}};
    object["icmp"]["dropped"] = by_reason(books.icmp.dropped);
    return object;
}

json net_books(const turn::net_totals& books) {
    json object;
    object["received"] = {{"packets", books.received_packets}, {"bytes", books.received_bytes}};
    object["receive-calls"] = books.receive_calls;
    object["send-calls"] = books.send_calls;
    object["receive-truncated"] = books.receive_truncated;
    object["kernel-drops"] = books.kernel_drops;
    for (std::size_t d = 0; d < turn::direction_count; ++d) {
        const std::string way(directions[d]);
        object["sent"][way] = {{"packets", books.sent_packets[d]}, {"bytes", books.sent_bytes[d]}};
        object["dropped"][way] = by_reason(books.dropped[d]);
    }
    return object;
}

/// Numbers of connections; udp has none.
json by_transport(const std::array<std::uint64_t, turn::transport_count>& numbers) {
    json object = json::object();
    for (const auto t : {turn::transport::tcp, turn::transport::tls, turn::transport::dtls})
        object[std::string(turn::name(t))] = numbers[static_cast<std::size_t>(t)];
    return object;
}

json stream_books(const turn::stream_totals& books) {
    json object;
    object["connections"] = by_transport(books.connections);
    object["without-allocation"] = books.without_allocation;
    object["accepted"] = by_transport(books.accepted);
    object["handshakes"] = books.handshakes;
    object["closed"] = by_reason(books.closed);
    object["received"] = {{"frames", books.received_frames}, {"bytes", books.received_bytes}};
    object["receive-calls"] = books.receive_calls;
    object["send-calls"] = books.send_calls;
    for (std::size_t d = 0; d < turn::direction_count; ++d) {
        const std::string way(directions[d]);
        object["sent"][way] = {{"frames", books.sent_frames[d]}, {"bytes", books.sent_bytes[d]}};
        object["dropped"][way] = by_reason(books.dropped[d]);
        object["queued"][way] = books.queued[d];
    }
    return object;
}

json dtls_books(const turn::dtls_totals& books) {
    return {{"received", books.received},
            {"for-sessions", books.for_sessions},
            {"challenged", books.challenged},
            {"own", books.own},
            {"dropped", by_reason(books.dropped)}};
}

json peer_books(const turn::peer_connection_totals& books) {
    json object;
    for (std::size_t d = 0; d < books.relayed_bytes.size(); ++d) {
        object["relayed-bytes"][std::string(directions[d])] = books.relayed_bytes[d];
        object["lost-bytes"][std::string(directions[d])] = books.lost_bytes[d];
        object["held-back"][std::string(directions[d])] = books.held_back[d];
    }
    object["copied-bytes"] = books.copied_bytes;
    object["accepted"] = books.accepted;
    object["connected"] = books.connected;
    object["failed"] = books.failed;
    object["ended"] = books.ended;
    object["connections"] = books.connections;
    object["joined"] = books.joined;
    object["pipes"] = books.pipes;
    object["closed"] = by_reason(books.closed);
    return object;
}

json books(const turn::relay_totals& relay, const turn::net_totals& net, const turn::stream_totals& streams,
           const turn::dtls_totals& dtls, const turn::peer_connection_totals& peers) {
    json object = relay_books(relay);
    object["net"] = net_books(net);
    object["streams"] = stream_books(streams);
    object["dtls"] = dtls_books(dtls);
    object["peers"] = peer_books(peers);
    return object;
}

/// Without a listener for them there are none; their books are there all the same, and empty.
template <class Books>
Books of_shard(const std::vector<Books>& all, std::size_t shard) {
    return shard < all.size() ? all[shard] : Books{};
}

/// 0, or errno.
int write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno != EINTR) return errno;
        if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    return 0;
}

} // namespace

std::string counters_json(const turn::server_totals& totals, std::chrono::system_clock::time_point now,
                          std::string_view version) {
    json object;
    object["version"] = version;
    object["time"] = iso_time(now);
    object["ports-in-use"] = totals.ports_in_use;
    object["quota-in-use"] = totals.quota_in_use;
    object["reservations"] = totals.reservations;
    object["total"] = books(totals.relay, totals.net, totals.streams, totals.dtls, totals.peers);
    object["shards"] = json::array();
    for (std::size_t i = 0; i < totals.relay_by_shard.size(); ++i)
        object["shards"].push_back(books(totals.relay_by_shard[i], totals.net_by_shard[i],
                                         of_shard(totals.streams_by_shard, i), of_shard(totals.dtls_by_shard, i),
                                         of_shard(totals.peers_by_shard, i)));
    return object.dump();
}

turn::result<void, std::string> replace_file(const std::string& path, std::string_view line) {
    std::string temporary = path + ".XXXXXX";
    const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (fd < 0) return words_of_error(errno);
    // mkostemp makes files for the owner alone; counters are no secret, and others read them.
    int error = ::fchmod(fd, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) != 0 ? errno : 0;
    if (error == 0) error = write_all(fd, std::string(line) + '\n');
    if (::close(fd) != 0 && error == 0) error = errno;
    if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
    if (error == 0) return {};
    ::unlink(temporary.c_str());
    return words_of_error(error);
}

} // namespace turnd
