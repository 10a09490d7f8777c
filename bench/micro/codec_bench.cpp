/// The codec alone: what reading, checking and writing one STUN message costs.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "turn/channel_data.hpp"
#include "turn/stun/attributes.hpp"
#include "turn/stun/credentials.hpp"

namespace {

using namespace turn;
using namespace turn::stun;

using message = std::vector<std::byte>;

const credential_key key = *long_term_key("ann", "example.org", "secret");
const transport_address peer = *transport_address::parse("198.51.100.7:5000");
const transport_address client = *transport_address::parse("192.0.2.1:40000");
const transaction_id id{std::byte{1}, std::byte{2}, std::byte{3}};

message to_message(const result<bytes>& written) {
    return {written->begin(), written->end()};
}

/// As a browser signs it: 7 attributes and FINGERPRINT.
message allocate_request() {
    std::array<std::byte, 512> room{};
    return to_message(message_builder(room, message_class::request, method::allocate, id)
                          .add<requested_transport>(requested_transport::udp)
                          .add<lifetime>(std::chrono::seconds(3600))
                          .add<username>("1735689600:ann")
                          .add<realm>("example.org")
                          .add<nonce>("0123456789abcdef0123456789abcdef")
                          .integrity(key)
                          .fingerprint()
                          .finish());
}

message send_indication() {
    std::array<std::byte, 512> room{};
    const std::array<std::byte, 160> audio{}; // 20 ms of G.711
    return to_message(message_builder(room, message_class::indication, method::send, id)
                          .add<xor_peer_address>(peer)
                          .add<data>(audio)
                          .finish());
}

/// What every request pays before it is authenticated.
void parse_allocate(benchmark::State& state) {
    const message datagram = allocate_request();
    for (auto _ : state) {
        const auto m = message_view::parse(datagram);
        if (!m || m->unknown_required({}) != 0 || *m->get<requested_transport>() != requested_transport::udp ||
            !m->has<username>() || !m->has<realm>() || !m->has<nonce>() || m->has<reservation_token>())
            return state.SkipWithError("not what was written");
        benchmark::DoNotOptimize(m->raw().data());
    }
}
BENCHMARK(parse_allocate);

/// What every packet from Firefox pays.
void parse_send_indication(benchmark::State& state) {
    const message datagram = send_indication();
    for (auto _ : state) {
        const auto m = message_view::parse(datagram);
        if (!m || m->unknown_required({}) != 0 || m->has<dont_fragment>() || *m->get<xor_peer_address>() != peer ||
            m->get<data>()->size() != 160)
            return state.SkipWithError("not what was written");
        benchmark::DoNotOptimize(m->raw().data());
    }
}
BENCHMARK(parse_send_indication);

void parse_channel_data(benchmark::State& state) {
    std::array<std::byte, 164> datagram{};
    std::ranges::copy(channel_data_header(0x4000, 160), datagram.begin());
    for (auto _ : state) {
        benchmark::DoNotOptimize(datagram.data());
        const auto m = channel_data::parse(datagram);
        if (!m || m->payload.size() != 160) return state.SkipWithError("not what was written");
        benchmark::DoNotOptimize(m->payload.data());
    }
}
BENCHMARK(parse_channel_data);

void check_integrity(benchmark::State& state) {
    const message datagram = allocate_request();
    const auto m = message_view::parse(datagram);
    for (auto _ : state)
        if (!m->check_integrity(key)) return state.SkipWithError("integrity mismatch");
}
BENCHMARK(check_integrity);

void check_fingerprint(benchmark::State& state) {
    const message datagram = allocate_request();
    const auto m = message_view::parse(datagram);
    for (auto _ : state)
        if (!m->check_fingerprint()) return state.SkipWithError("fingerprint mismatch");
}
BENCHMARK(check_fingerprint);

/// The 401 to an unsigned request, its nonce included.
void write_challenge(benchmark::State& state) {
    const nonce_issuer issuer(make_nonce_secret(), std::chrono::hours(1));
    std::array<std::byte, 512> room{};
    const time_point now{std::chrono::hours(1)};
    std::uint64_t random = 0;
    for (auto _ : state) {
        const auto text = issuer.issue(client, now, ++random);
        const auto written = message_builder(room, message_class::error_response, method::allocate, id)
                                 .add<error_code>({401, "Unauthenticated"})
                                 .add<realm>("example.org")
                                 .add<nonce>({text.data(), text.size()})
                                 .add<software>("libturn")
                                 .fingerprint()
                                 .finish();
        if (!written) return state.SkipWithError("no room");
        benchmark::DoNotOptimize(written->data());
    }
}
BENCHMARK(write_challenge);

/// A signed success, as Allocate gets it.
void write_allocate_success(benchmark::State& state) {
    std::array<std::byte, 512> room{};
    for (auto _ : state) {
        const auto written = message_builder(room, message_class::success_response, method::allocate, id)
                                 .add<xor_relayed_address>(peer)
                                 .add<xor_mapped_address>(client)
                                 .add<lifetime>(std::chrono::seconds(600))
                                 .add<software>("libturn")
                                 .integrity(key)
                                 .finish();
        if (!written) return state.SkipWithError("no room");
        benchmark::DoNotOptimize(written->data());
    }
}
BENCHMARK(write_allocate_success);

void nonce_issue(benchmark::State& state) {
    const nonce_issuer issuer(make_nonce_secret(), std::chrono::hours(1));
    const time_point now{std::chrono::hours(1)};
    std::uint64_t random = 0;
    for (auto _ : state) benchmark::DoNotOptimize(issuer.issue(client, now, ++random));
}
BENCHMARK(nonce_issue);

void nonce_check(benchmark::State& state) {
    const nonce_issuer issuer(make_nonce_secret(), std::chrono::hours(1));
    const time_point now{std::chrono::hours(1)};
    const auto text = issuer.issue(client, now, 1);
    for (auto _ : state)
        if (issuer.check({text.data(), text.size()}, client, now) != nonce_issuer::verdict::valid)
            return state.SkipWithError("a nonce of ours was refused");
}
BENCHMARK(nonce_check);

/// MD5 over name, realm and password with their preparation; the second argument is the slow path of OpaqueString.
void derive_key(benchmark::State& state, std::string_view password) {
    for (auto _ : state) benchmark::DoNotOptimize(long_term_key("ann", "example.org", password));
}
BENCHMARK_CAPTURE(derive_key, ascii, "correct horse battery staple");
BENCHMARK_CAPTURE(derive_key, unicode, "correct\u2003horse caf\u00e9 staple");

} // namespace
