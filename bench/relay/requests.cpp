#include "requests.hpp"

#include <fmt/format.h>

#include "memory.hpp"

namespace turn::bench {
namespace {

constexpr std::size_t most_in_a_round = 256;
constexpr std::chrono::milliseconds between_ticks{100};
constexpr std::uint64_t cycles_before = 1000; // churn's warm-up
constexpr std::uint64_t most_failures = 1000; // each may take 40 s to be one

} // namespace

requests::requests(const load_options& o) : options_(o), io_(o), out_(most_in_a_round) {
    slots_.reserve(o.clients);
    for (std::uint32_t i = 0; i < o.clients; ++i) {
        const socket_id via = open(i);
        slots_.push_back({.via = via, .who = stranger(via)});
        idle_.push_back(i);
    }
    result_.clocks = meter(o.pid, o.threads_named);
}

client requests::stranger(socket_id via) const {
    return client({.server = options_.server,
                   .via = via,
                   .username = options_.username,
                   .password = options_.password,
                   .keep_alive = false});
}

socket_id requests::open(std::uint32_t owner) {
    const socket_id id = io_.open_next(client_ip);
    if (owners_.size() <= index_of(id)) owners_.resize(index_of(id) + 1);
    owners_[index_of(id)] = owner;
    return id;
}

bool requests::step(time_point now) {
    tick_when_due(now);
    const bool begun = begin_due();
    io_.flush(out_);
    return hear() || begun;
}

void requests::open_window() {
    skipped_before_ = pace_->skipped();
    result_.clocks.start();
}

void requests::close_window() {
    result_.clocks.stop();
    result_.skipped += pace_->skipped() - skipped_before_;
}

bool requests::rest(time_point now) {
    tick_when_due(now);
    io_.flush(out_);
    while (hear()) {}
    return all_idle();
}

outcome requests::end() {
    if (const auto silent = slots_.size() - idle_.size(); silent > 0) {
        result_.failed += silent;
        if (result_.failure.empty()) result_.failure = "not answered";
    }
    result_.dropped_here = io_.dropped();
    return result_;
}

outcome requests::churn() {
    result_.memory = memory_use{};
    cycles(cycles_before);
    result_.memory->before = memory_of_server(options_.pid);
    result_.clocks.start();
    cycles(options_.cycles);
    result_.clocks.stop();
    result_.memory->after = memory_of_server(options_.pid);
    result_.dropped_here = io_.dropped();
    return result_;
}

/// All of them: when it returns none is under way.
void requests::cycles(std::uint64_t count) {
    while (count > 0 || !all_idle()) {
        const auto now = std::chrono::steady_clock::now();
        tick_when_due(now);
        const std::uint64_t begun = begin_some(count, now);
        count -= begun;
        io_.flush(out_);
        if (!hear() && begun == 0) io_.wait(now + between_ticks);
        if (result_.failed > most_failures) throw trouble{result_.failure};
    }
}

bool requests::begin_due() {
    const auto now = std::chrono::steady_clock::now();
    const std::uint64_t begun = begin_some(pace_->due(now), now);
    for (std::uint64_t i = 0; i < begun; ++i) pace_->take();
    return begun > 0;
}

std::uint64_t requests::begin_some(std::uint64_t most, time_point now) {
    most = std::min<std::uint64_t>(most, idle_.size());
    std::uint64_t begun = 0;
    for (; begun < most && out_.has_room(); ++begun) begin(slots_[idle_[begun]], now);
    idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(begun));
    return begun;
}

void requests::begin(slot& s, time_point now) {
    s.begun = now;
    if (result_.clocks.contains(now)) ++result_.sent;
    if (options_.work == workload::binding)
        s.who.bind(now, out_);
    else
        s.who.allocate({}, now, out_);
}

bool requests::hear() {
    const auto batch = io_.receive();
    if (batch.empty()) return false;
    const auto now = std::chrono::steady_clock::now();
    for (const packet& p : batch)
        for (std::size_t i = 0; i < p.segments(); ++i) {
            if (!out_.has_room()) io_.flush(out_);
            slot& s = slots_[owners_[index_of(p.via)]];
            if (p.via != s.via) continue; // of a client that has left
            if (const auto event = s.who.handle(p.segment(i), now, out_)) react(s, *event, now);
        }
    io_.flush(out_);
    return true;
}

void requests::react(slot& s, const client::event& event, time_point now) {
    if (std::holds_alternative<client::mapped>(event))
        finish(s, now, true);
    else if (std::holds_alternative<client::allocated>(event))
        s.who.refresh(std::chrono::seconds(0), {}, now, out_);
    else if (const auto* left = std::get_if<client::refreshed>(&event))
        finish(s, now, left->lifetime == std::chrono::seconds(0));
    else if (const auto* failed = std::get_if<client::failed>(&event))
        fail(s, *failed, now);
}

void requests::fail(slot& s, const client::failed& why, time_point now) {
    if (result_.failure.empty())
        result_.failure =
            fmt::format("method 0x{:03x}: {} {}", static_cast<unsigned>(why.method), why.code, why.phrase);
    finish(s, now, false);
}

void requests::finish(slot& s, time_point now, bool well) {
    if (s.begun == time_point{}) return;
    if (well) {
        if (result_.clocks.contains(now)) ++result_.delivered[0];
        if (result_.clocks.contains(s.begun)) {
            ++result_.arrived;
            result_.latency.add(now - s.begun);
        }
    } else
        ++result_.failed;
    s.begun = {};
    const auto place = static_cast<std::uint32_t>(&s - slots_.data());
    if (options_.work != workload::binding) { // the next one is a stranger from another port
        io_.flush(out_);
        io_.close(s.via);
        s.via = open(place);
        s.who = stranger(s.via);
    }
    idle_.push_back(place);
}

void requests::tick_when_due(time_point now) {
    if (now < next_tick_) return;
    next_tick_ = now + between_ticks;
    tick(now);
}

void requests::tick(time_point now) {
    for (slot& s : slots_) {
        if (!out_.has_room()) io_.flush(out_);
        if (const auto event = s.who.tick(now, out_)) react(s, *event, now);
    }
}

} // namespace turn::bench
