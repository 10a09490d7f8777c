#include "server/totals.hpp"

#include <array>
#include <cstddef>

namespace turn {

namespace {

void plus(std::uint64_t& sum, const counter& c) noexcept {
    sum += c.value();
}
void plus(std::uint64_t& sum, std::uint64_t n) noexcept {
    sum += n;
}

template <class Number>
void plus(relay_totals::traffic& sum, const typename relay_books<Number>::traffic& t) noexcept {
    plus(sum.packets, t.packets);
    plus(sum.bytes, t.bytes);
}

template <class Sum, class Number, std::size_t N>
void plus(std::array<Sum, N>& sum, const std::array<Number, N>& numbers) noexcept {
    for (std::size_t i = 0; i < N; ++i) plus(sum[i], numbers[i]);
}

template <class Number>
void plus(relay_totals& sum, const relay_books<Number>& b) noexcept {
    plus<Number>(sum.from_clients, b.from_clients);
    plus<Number>(sum.from_peers, b.from_peers);
    for (std::size_t way = 0; way < sum.relayed.size(); ++way) plus<Number>(sum.relayed[way], b.relayed[way]);
    plus(sum.dropped, b.dropped);
    plus(sum.refused, b.refused);
    plus(sum.requests, b.requests);
    plus(sum.allocates, b.allocates);
    plus(sum.absorbed, b.absorbed);
    plus(sum.pending, b.pending);
    plus(sum.icmp.received, b.icmp.received);
    plus(sum.icmp.relayed, b.icmp.relayed);
    plus(sum.icmp.dropped, b.icmp.dropped);
    plus(sum.allocations, b.allocations);
    plus(sum.allocations_over, b.allocations_over);
    plus(sum.tcp_allocations, b.tcp_allocations);
    plus(sum.relayed_addresses, b.relayed_addresses);
    plus(sum.permissions, b.permissions);
    plus(sum.channels, b.channels);
    plus(sum.peer_connections, b.peer_connections);
    plus(sum.peer_connections_bound, b.peer_connections_bound);
    plus(sum.allocations_created, b.allocations_created);
    plus(sum.allocations_ended, b.allocations_ended);
    plus(sum.peer_connections_made, b.peer_connections_made);
    plus(sum.peer_connections_closed, b.peer_connections_closed);
}

template <class Number>
void plus(net_totals& sum, const net_books<Number>& b) noexcept {
    plus(sum.received_packets, b.received_packets);
    plus(sum.received_bytes, b.received_bytes);
    plus(sum.receive_calls, b.receive_calls);
    plus(sum.send_calls, b.send_calls);
    plus(sum.sent_packets, b.sent_packets);
    plus(sum.sent_bytes, b.sent_bytes);
    plus(sum.dropped, b.dropped);
    plus(sum.receive_truncated, b.receive_truncated);
    plus(sum.kernel_drops, b.kernel_drops);
    plus(sum.kernel_drops_of, b.kernel_drops_of);
}

template <class Number>
void plus(stream_totals& sum, const stream_books<Number>& b) noexcept {
    plus(sum.received_frames, b.received_frames);
    plus(sum.received_bytes, b.received_bytes);
    plus(sum.receive_calls, b.receive_calls);
    plus(sum.send_calls, b.send_calls);
    plus(sum.sent_frames, b.sent_frames);
    plus(sum.sent_bytes, b.sent_bytes);
    plus(sum.dropped, b.dropped);
    plus(sum.queued, b.queued);
    plus(sum.accepted, b.accepted);
    plus(sum.connections, b.connections);
    plus(sum.without_allocation, b.without_allocation);
    plus(sum.closed, b.closed);
    plus(sum.handshakes, b.handshakes);
}

template <class Number>
void plus(dtls_totals& sum, const dtls_books<Number>& b) noexcept {
    plus(sum.received, b.received);
    plus(sum.for_sessions, b.for_sessions);
    plus(sum.challenged, b.challenged);
    plus(sum.own, b.own);
    plus(sum.dropped, b.dropped);
}

template <class Number>
void plus(peer_connection_totals& sum, const peer_connection_books<Number>& b) noexcept {
    plus(sum.relayed_bytes, b.relayed_bytes);
    plus(sum.lost_bytes, b.lost_bytes);
    plus(sum.copied_bytes, b.copied_bytes);
    plus(sum.held_back, b.held_back);
    plus(sum.accepted, b.accepted);
    plus(sum.connected, b.connected);
    plus(sum.failed, b.failed);
    plus(sum.ended, b.ended);
    plus(sum.connections, b.connections);
    plus(sum.joined, b.joined);
    plus(sum.pipes, b.pipes);
    plus(sum.closed, b.closed);
}

template <class Number>
void plus(shard_totals& sum, const shard_books<Number>& b) noexcept {
    plus(sum.batches.counts, b.batches.counts);
    plus(sum.batches.sum, b.batches.sum);
    plus(sum.latencies.counts, b.latencies.counts);
    plus(sum.latencies.sum, b.latencies.sum);
}

} // namespace

void add(relay_totals& sum, const relay_counters& b) noexcept {
    plus(sum, b);
}
void add(shard_totals& sum, const shard_counters& b) noexcept {
    plus(sum, b);
}
void add(net_totals& sum, const net_counters& b) noexcept {
    plus(sum, b);
}
void add(stream_totals& sum, const stream_counters& b) noexcept {
    plus(sum, b);
}
void add(dtls_totals& sum, const dtls_counters& b) noexcept {
    plus(sum, b);
}
void add(dtls_totals& sum, const dtls_totals& b) noexcept {
    plus(sum, b);
}
void add(peer_connection_totals& sum, const peer_connection_counters& b) noexcept {
    plus(sum, b);
}
void add(peer_connection_totals& sum, const peer_connection_totals& b) noexcept {
    plus(sum, b);
}
void add(relay_totals& sum, const relay_totals& b) noexcept {
    plus(sum, b);
}
void add(net_totals& sum, const net_totals& b) noexcept {
    plus(sum, b);
}
void add(stream_totals& sum, const stream_totals& b) noexcept {
    plus(sum, b);
}

} // namespace turn
