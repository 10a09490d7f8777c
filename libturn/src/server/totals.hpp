#pragma once
/// Sums of the shards' books.

#include "turn/counters.hpp"

namespace turn {

void add(relay_totals& sum, const relay_counters&) noexcept;
void add(net_totals& sum, const net_counters&) noexcept;
void add(shard_totals& sum, const shard_counters&) noexcept;
void add(stream_totals& sum, const stream_counters&) noexcept;
void add(peer_connection_totals& sum, const peer_connection_counters&) noexcept;
void add(relay_totals& sum, const relay_totals&) noexcept;
void add(net_totals& sum, const net_totals&) noexcept;
void add(stream_totals& sum, const stream_totals&) noexcept;
void add(peer_connection_totals& sum, const peer_connection_totals&) noexcept;
void add(dtls_totals& sum, const dtls_counters&) noexcept;
void add(dtls_totals& sum, const dtls_totals&) noexcept;

} // namespace turn
