/// relay::handle per packet: the part of a relayed packet's cost that is ours and not the kernel's.

#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "established.hpp"
#include "turn/channel_data.hpp"
#include "turn/stun/attributes.hpp"

namespace {

using namespace turn;
using turn::bench::established_relay;
using turn::bench::flow;

constexpr std::size_t batch_size = 64;
constexpr std::size_t payload_size = 160; // 20 ms of G.711

/// Packets of every flow in turn, a batch at a time, each with its flow's number in the payload.
class traffic {
public:
    using packet_maker = packet (*)(const flow&, std::span<std::byte> buffer, std::uint64_t number);

    traffic(established_relay& relay, packet_maker make) : relay_(relay) {
        const auto& flows = relay.flows();
        const std::size_t count = (flows.size() + batch_size - 1) / batch_size * batch_size;
        storage_.resize(count);
        for (std::size_t i = 0; i < count; ++i)
            packets_.push_back(make(flows[i % flows.size()], storage_[i], i % flows.size()));
    }

    /// Handles the next batch and checks where each payload goes. False: one went astray or changed.
    template <class Expected>
    bool step(outbox& out, Expected&& expected) {
        const std::span<const packet> batch = std::span(packets_).subspan(next_, batch_size);
        batch_cursor at;
        relay_.core().handle(batch, at, relay_.now(), out);
        bool good = out.datagrams().size() == batch_size;
        for (std::size_t i = 0; good && i < batch_size; ++i) {
            const datagram& d = out.datagrams()[i];
            std::uint64_t number = 0;
            good = d.body.size() == payload_size;
            if (good) std::memcpy(&number, d.body.data(), sizeof number);
            good = good && number < relay_.flows().size() && expected(relay_.flows()[number], d);
        }
        out.clear();
        next_ = (next_ + batch_size) % packets_.size();
        return good;
    }

private:
    established_relay& relay_;
    std::vector<std::array<std::byte, 256>> storage_;
    std::vector<packet> packets_;
    std::size_t next_ = 0;
};

void write_payload(std::span<std::byte> room, std::uint64_t number) {
    std::memcpy(room.data(), &number, sizeof number);
}

packet channel_data_from_client(const flow& f, std::span<std::byte> buffer, std::uint64_t number) {
    const auto header = channel_data_header(turn::bench::channel_number, payload_size);
    std::copy(header.begin(), header.end(), buffer.begin());
    write_payload(buffer.subspan(header.size()), number);
    return {turn::bench::listener_socket, f.client, buffer.first(header.size() + payload_size), 0};
}

packet datagram_from_peer(const flow& f, std::span<std::byte> buffer, std::uint64_t number) {
    write_payload(buffer, number);
    return {f.relay_socket, f.peer, buffer.first(payload_size), 0};
}

packet send_indication_from_client(const flow& f, std::span<std::byte> buffer, std::uint64_t number) {
    std::array<std::byte, payload_size> payload{};
    write_payload(payload, number);
    stun::message_builder b(buffer, stun::message_class::indication, stun::method::send, {});
    b.add<stun::xor_peer_address>(f.peer).add<stun::data>(payload);
    return {turn::bench::listener_socket, f.client, *b.finish(), 0};
}

/// A peer the channel is not bound to, at the address that has the permission.
packet datagram_from_other_port(const flow& f, std::span<std::byte> buffer, std::uint64_t number) {
    packet p = datagram_from_peer(f, buffer, number);
    p.from.port = 9;
    return p;
}

bool goes_up(const flow& f, const datagram& d) {
    return d.to == f.peer && d.via == f.relay_socket && d.head.empty();
}
bool goes_down(const flow& f, const datagram& d) {
    return d.to == f.client && d.via == turn::bench::listener_socket && !d.head.empty();
}

/// CPU time per packet, shown as such.
void report(benchmark::State& state, std::int64_t packets) {
    state.counters["per_packet"] =
        benchmark::Counter(static_cast<double>(packets), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void run(benchmark::State& state, traffic::packet_maker make, bool (*expected)(const flow&, const datagram&),
         std::uint64_t limit = 0) {
    established_relay relay(static_cast<std::size_t>(state.range(0)), limit);
    traffic packets(relay, make);
    outbox out(batch_size);
    for (auto _ : state)
        if (!packets.step(out, expected)) return state.SkipWithError("a payload went astray");
    const auto handled = static_cast<std::int64_t>(state.iterations() * batch_size);
    report(state, handled);
}

BENCHMARK_CAPTURE(run, channel_data_up, channel_data_from_client, goes_up)->Arg(1)->Arg(1000)->Arg(100'000);
BENCHMARK_CAPTURE(run, channel_data_down, datagram_from_peer, goes_down)->Arg(1)->Arg(1000)->Arg(100'000);
// The same under a bandwidth-per-allocation that nobody reaches: a bucket holds 31 GB.
BENCHMARK_CAPTURE(run, channel_data_up_limited, channel_data_from_client, goes_up, 1'000'000'000'000)
    ->Arg(1)
    ->Arg(1000);
BENCHMARK_CAPTURE(run, send_indication_up, send_indication_from_client, goes_up)->Arg(1000);
BENCHMARK_CAPTURE(run, data_indication_down, datagram_from_other_port, goes_down)->Arg(1000);

/// Flow look-up alone: packets on a channel nobody bound are dropped once the 5-tuple has been found.
packet unbound_channel_data(const flow& f, std::span<std::byte> buffer, std::uint64_t number) {
    const packet p = channel_data_from_client(f, buffer, number);
    buffer[1] = std::byte{0x7f};
    return p;
}

void flow_look_up(benchmark::State& state) {
    established_relay relay(static_cast<std::size_t>(state.range(0)));
    std::vector<std::array<std::byte, 256>> storage(relay.flows().size());
    std::vector<packet> packets;
    for (std::size_t i = 0; i < storage.size(); ++i)
        packets.push_back(unbound_channel_data(relay.flows()[i], storage[i], i));
    outbox out(batch_size);
    std::int64_t handled = 0;
    for (auto _ : state) {
        batch_cursor at;
        relay.core().handle(packets, at, relay.now(), out);
        handled += static_cast<std::int64_t>(packets.size());
    }
    const auto& dropped = relay.core().counters().dropped[static_cast<std::size_t>(direction::up)];
    if (dropped[static_cast<std::size_t>(reason::no_channel)].value() != static_cast<std::uint64_t>(handled))
        state.SkipWithError("a flow was not found");
    report(state, handled);
}
BENCHMARK(flow_look_up)->Arg(1)->Arg(1000)->Arg(100'000);

/// What a flood costs that bandwidth-per-allocation stops: every allocation has used up its bucket, and time stands
/// still.
void over_bandwidth(benchmark::State& state, traffic::packet_maker make, direction way) {
    established_relay relay(static_cast<std::size_t>(state.range(0)), 1000);
    std::vector<std::array<std::byte, 256>> storage(relay.flows().size());
    std::vector<packet> packets;
    for (std::size_t i = 0; i < storage.size(); ++i) packets.push_back(make(relay.flows()[i], storage[i], i));
    outbox out(batch_size);
    const auto& dropped = relay.core().counters().dropped[static_cast<std::size_t>(way)];
    const auto& stopped = dropped[static_cast<std::size_t>(reason::bandwidth)];
    while (stopped.value() < packets.size())
        for (batch_cursor at; at.packet < packets.size(); out.clear())
            relay.core().handle(packets, at, relay.now(), out);

    const std::uint64_t before = stopped.value();
    std::int64_t handled = 0;
    for (auto _ : state) {
        batch_cursor at;
        relay.core().handle(packets, at, relay.now(), out);
        handled += static_cast<std::int64_t>(packets.size());
    }
    if (stopped.value() - before != static_cast<std::uint64_t>(handled) || !out.empty())
        state.SkipWithError("a packet got through");
    report(state, handled);
}
BENCHMARK_CAPTURE(over_bandwidth, channel_data_up, channel_data_from_client, direction::up)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(over_bandwidth, channel_data_down, datagram_from_peer, direction::down)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(over_bandwidth, send_indication_up, send_indication_from_client, direction::up)->Arg(1000);
BENCHMARK_CAPTURE(over_bandwidth, data_indication_down, datagram_from_other_port, direction::down)->Arg(1000);

/// The answer to an unsigned Allocate: what a flood costs us.
void challenge(benchmark::State& state) {
    established_relay relay(1);
    std::array<std::byte, 64> buffer{};
    stun::message_builder b(buffer, stun::message_class::request, stun::method::allocate, {});
    b.add<stun::requested_transport>(stun::requested_transport::udp);
    const packet p{turn::bench::listener_socket, turn::bench::address("10.255.0.1:5000"), *b.finish(), 0};
    outbox out(1);
    for (auto _ : state) {
        batch_cursor at;
        relay.core().handle({&p, 1}, at, relay.now(), out);
        if (out.datagrams().size() != 1) return state.SkipWithError("no challenge");
        benchmark::DoNotOptimize(out.datagrams().data());
        out.clear();
    }
}
BENCHMARK(challenge);

} // namespace
