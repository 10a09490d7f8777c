#include <doctest/doctest.h>

#include <array>

#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include "counters_file.hpp"
#include "file_text.hpp"
#include "turnd_room.hpp"

using namespace turnd;
using namespace turnd::test;
using nlohmann::json;

namespace {

constexpr std::chrono::system_clock::time_point when{std::chrono::seconds{1'795'224'874}};

/// Books with a number of its own in each place.
turn::relay_totals numbered_relay(std::uint64_t from) {
    turn::relay_totals t;
    const auto next = [&] { return from++; };
    t.from_clients = {next(), next()};
    t.from_peers = {next(), next()};
    for (auto& way : t.relayed) way = {next(), next()};
    for (auto& way : t.dropped)
        for (auto& n : way) n = next();
    for (auto& n : t.refused) n = next();
    for (auto& method : t.requests)
        for (auto& n : method) n = next();
    for (auto& over : t.allocates)
        for (auto& n : over) n = next();
    for (auto& n : t.allocations_over) n = next();
    for (auto& over : t.relayed_addresses)
        for (auto& n : over) n = next();
    for (auto* n : {&t.absorbed, &t.pending, &t.allocations, &t.permissions, &t.channels, &t.allocations_created,
                    &t.allocations_ended, &t.tcp_allocations, &t.icmp.received, &t.icmp.relayed})
        *n = next();
    for (auto& n : t.icmp.dropped) n = next();
    return t;
}

turn::net_totals numbered_net(std::uint64_t from) {
    turn::net_totals t;
    const auto next = [&] { return from++; };
    for (auto* n : {&t.received_packets, &t.received_bytes, &t.receive_calls, &t.send_calls, &t.receive_truncated,
                    &t.kernel_drops})
        *n = next();
    for (auto& n : t.sent_packets) n = next();
    for (auto& n : t.sent_bytes) n = next();
    for (auto& way : t.dropped)
        for (auto& n : way) n = next();
    return t;
}

turn::stream_totals numbered_streams(std::uint64_t from) {
    turn::stream_totals t;
    const auto next = [&] { return from++; };
    for (auto* n :
         {&t.received_frames, &t.received_bytes, &t.receive_calls, &t.send_calls, &t.without_allocation, &t.handshakes})
        *n = next();
    for (auto* numbers : {&t.sent_frames, &t.sent_bytes, &t.queued})
        for (auto& n : *numbers) n = next();
    for (auto* numbers : {&t.accepted, &t.connections})
        for (auto& n : *numbers) n = next();
    for (auto& way : t.dropped)
        for (auto& n : way) n = next();
    for (auto& n : t.closed) n = next();
    return t;
}

turn::dtls_totals numbered_dtls(std::uint64_t from) {
    turn::dtls_totals t;
    for (auto* n : {&t.received, &t.for_sessions, &t.challenged, &t.own}) *n = from++;
    for (auto& n : t.dropped) n = from++;
    return t;
}

std::size_t index(turn::reason why) {
    return static_cast<std::size_t>(why);
}

void check_books(const json& shown, const turn::relay_totals& relay, const turn::net_totals& net) {
    CHECK(shown["allocations"] == relay.allocations);
    CHECK(shown["allocations-over"]["tcp"] == relay.allocations_over[1]);
    CHECK(shown["relayed-addresses"]["tls"]["ipv6"] == relay.relayed_addresses[2][1]);
    CHECK(shown["allocates"]["udp"]["challenged"] == relay.allocates[0][1]);
    CHECK(shown["permissions"] == relay.permissions);
    CHECK(shown["tcp-allocations"] == relay.tcp_allocations);
    CHECK(shown["channels"] == relay.channels);
    CHECK(shown["allocations-created"] == relay.allocations_created);
    CHECK(shown["allocations-ended"] == relay.allocations_ended);
    CHECK(shown["absorbed"] == relay.absorbed);
    CHECK(shown["pending"] == relay.pending);
    CHECK(shown["icmp"]["received"] == relay.icmp.received);
    CHECK(shown["icmp"]["relayed"] == relay.icmp.relayed);
    CHECK(shown["icmp"]["dropped"]["no-permission"] ==
          relay.icmp.dropped[static_cast<std::size_t>(turn::reason::no_permission)]);
    CHECK(shown["from-clients"]["packets"] == relay.from_clients.packets);
    CHECK(shown["from-peers"]["bytes"] == relay.from_peers.bytes);
    CHECK(shown["relayed"]["up"]["packets"] == relay.relayed[0].packets);
    CHECK(shown["relayed"]["down"]["bytes"] == relay.relayed[1].bytes);
    CHECK(shown["requests"]["binding"]["success"] == relay.requests[0][0]);
    CHECK(shown["requests"]["allocate"]["challenged"] == relay.requests[1][1]);
    CHECK(shown["requests"]["create-permission"]["refused"] == relay.requests[3][2]);
    CHECK(shown["requests"]["channel-bind"]["refused"] == relay.requests[4][2]);

    const json& kernel = shown["net"];
    CHECK(kernel["received"]["packets"] == net.received_packets);
    CHECK(kernel["receive-calls"] == net.receive_calls);
    CHECK(kernel["kernel-drops"] == net.kernel_drops);
    CHECK(kernel["sent"]["control"]["packets"] == net.sent_packets[2]);
    CHECK(kernel["sent"]["down"]["bytes"] == net.sent_bytes[1]);

    for (std::size_t i = 1; i < turn::reason_count; ++i) {
        const std::string code(turn::name(static_cast<turn::reason>(i)));
        CAPTURE(code);
        CHECK(shown["refused"][code] == relay.refused[i]);
        CHECK(shown["dropped"]["up"][code] == relay.dropped[0][i]);
        CHECK(shown["dropped"]["down"][code] == relay.dropped[1][i]);
        CHECK(kernel["dropped"]["up"][code] == net.dropped[0][i]);
        CHECK(kernel["dropped"]["control"][code] == net.dropped[2][i]);
    }
    CHECK(shown["refused"].size() == turn::reason_count - 1); // a code each, and none for "no reason"
}

} // namespace

void check_streams(const json& shown, const turn::stream_totals& streams) {
    CHECK(shown["connections"] ==
          json{{"tcp", streams.connections[1]}, {"tls", streams.connections[2]}, {"dtls", streams.connections[3]}});
    CHECK(shown["accepted"] ==
          json{{"tcp", streams.accepted[1]}, {"tls", streams.accepted[2]}, {"dtls", streams.accepted[3]}});
    CHECK(shown["without-allocation"] == streams.without_allocation);
    CHECK(shown["handshakes"] == streams.handshakes);
    CHECK(shown["received"]["frames"] == streams.received_frames);
    CHECK(shown["received"]["bytes"] == streams.received_bytes);
    CHECK(shown["receive-calls"] == streams.receive_calls);
    CHECK(shown["send-calls"] == streams.send_calls);
    for (std::size_t d = 0; d < turn::direction_count; ++d) {
        const char* way = std::array{"up", "down", "control"}[d];
        CHECK(shown["sent"][way]["frames"] == streams.sent_frames[d]);
        CHECK(shown["sent"][way]["bytes"] == streams.sent_bytes[d]);
        CHECK(shown["queued"][way] == streams.queued[d]);
        CHECK(shown["dropped"][way]["slow-reader"] == streams.dropped[d][index(turn::reason::slow_reader)]);
    }
    for (const auto why : {turn::reason::connection_idle, turn::reason::handshake_failed, turn::reason::malformed})
        CHECK(shown["closed"][std::string(turn::name(why))] == streams.closed[index(why)]);
}

void check_dtls(const json& shown, const turn::dtls_totals& dtls) {
    CHECK(shown["received"] == dtls.received);
    CHECK(shown["for-sessions"] == dtls.for_sessions);
    CHECK(shown["challenged"] == dtls.challenged);
    CHECK(shown["own"] == dtls.own);
    for (const auto why : {turn::reason::malformed, turn::reason::no_session})
        CHECK(shown["dropped"][std::string(turn::name(why))] == dtls.dropped[index(why)]);
}

TEST_CASE("turnd: the counters are one line of JSON with everything in its place") {
    turn::server_totals totals;
    totals.relay = numbered_relay(1000);
    totals.net = numbered_net(5000);
    totals.relay_by_shard = {numbered_relay(10'000), numbered_relay(20'000)};
    totals.net_by_shard = {numbered_net(15'000), numbered_net(25'000)};
    totals.streams = numbered_streams(7000);
    totals.dtls = numbered_dtls(8000);
    totals.dtls_by_shard = {numbered_dtls(18'000), numbered_dtls(28'000)};
    totals.streams_by_shard = {numbered_streams(17'000), numbered_streams(27'000)};
    totals.ports_in_use = 3;
    totals.quota_in_use = 4;
    totals.reservations = 5;

    const std::string line = counters_json(totals, when, "1.2.3");
    CHECK(!contains(line, "\n"));
    const json shown = json::parse(line);
    CHECK(shown["version"] == "1.2.3");
    CHECK(shown["time"] == "2026-11-21T01:34:34Z");
    CHECK(shown["ports-in-use"] == 3);
    CHECK(shown["quota-in-use"] == 4);
    CHECK(shown["reservations"] == 5);
    check_books(shown["total"], totals.relay, totals.net);
    REQUIRE(shown["shards"].size() == 2);
    check_books(shown["shards"][0], totals.relay_by_shard[0], totals.net_by_shard[0]);
    check_books(shown["shards"][1], totals.relay_by_shard[1], totals.net_by_shard[1]);
    check_streams(shown["total"]["streams"], totals.streams);
    check_streams(shown["shards"][0]["streams"], totals.streams_by_shard[0]);
    check_streams(shown["shards"][1]["streams"], totals.streams_by_shard[1]);
    check_dtls(shown["total"]["dtls"], totals.dtls);
    check_dtls(shown["shards"][1]["dtls"], totals.dtls_by_shard[1]);
}

TEST_CASE("turnd: without listeners over TCP, TLS or DTLS the books of streams and of DTLS are empty and there") {
    turn::server_totals totals;
    totals.relay_by_shard.emplace_back();
    totals.net_by_shard.emplace_back();
    const json shown = json::parse(counters_json(totals, when, ""));
    REQUIRE(shown["shards"].size() == 1);
    check_streams(shown["shards"][0]["streams"], {});
    check_dtls(shown["shards"][0]["dtls"], {});
    check_streams(shown["total"]["streams"], {});
}

TEST_CASE("turnd: counters beyond 53 bits keep every digit") {
    turn::server_totals totals;
    totals.relay.from_clients.bytes = 18'446'744'073'709'551'615U;
    totals.relay.refused[index(turn::reason::bad_password)] = 9'007'199'254'740'993U;
    const json shown = json::parse(counters_json(totals, when, ""));
    CHECK(shown["total"]["from-clients"]["bytes"].get<std::uint64_t>() == 18'446'744'073'709'551'615U);
    CHECK(shown["total"]["refused"]["bad-password"].get<std::uint64_t>() == 9'007'199'254'740'993U);
    CHECK(shown["shards"].is_array());
    CHECK(shown["shards"].empty());
}

TEST_CASE("turnd: the counters file is replaced as a whole and readable") {
    const room files;
    const std::string path = files.file("counters.json", "an old and much longer line\n");
    const std::string before = *read_file(path);
    REQUIRE(replace_file(path, "{}"));
    CHECK(*read_file(path) == "{}\n");
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777U) == 0644U);
    CHECK(std::distance(std::filesystem::directory_iterator(files.path("")), std::filesystem::directory_iterator()) ==
          1);
}

TEST_CASE("turnd: a counters file that cannot be written says why and leaves nothing behind") {
    const room files;
    const auto missing = replace_file(files.path("absent/counters.json"), "{}");
    REQUIRE(!missing);
    CHECK(contains(missing.error(), "No such file or directory"));

    std::filesystem::create_directory(files.path("counters.json"));
    const auto directory = replace_file(files.path("counters.json"), "{}");
    REQUIRE(!directory);
    CHECK(contains(directory.error(), "directory"));
    CHECK(std::distance(std::filesystem::directory_iterator(files.path("")), std::filesystem::directory_iterator()) ==
          1);
}
