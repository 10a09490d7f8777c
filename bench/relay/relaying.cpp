#include "relaying.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace turn::bench {
namespace {

constexpr std::size_t most_in_a_round = 256;
constexpr int most_batches = 8;             // received between two rounds
constexpr std::size_t bursts_under_way = 2; // of each direction of a saturated flow
constexpr std::chrono::milliseconds silence{20};

/// One more client, with a peer of its own.
load_options with_flood(load_options o) {
    if (o.work == workload::flood) {
        ++o.clients;
        ++o.peers;
    }
    return o;
}

} // namespace

relaying::relaying(const load_options& o)
    : options_(with_flood(o)), flows_(options_), out_(most_in_a_round), payloads_(most_in_a_round * o.size),
      lanes_(options_.clients * 2), order_(o.clients * 2) {
    std::iota(order_.begin(), order_.end(), 0U);
    std::shuffle(order_.begin(), order_.end(), std::mt19937(1));
    result_.clocks = meter(o.pid, o.threads_named);
}

void relaying::begin(time_point now) {
    last_heard_ = now;
    if (options_.rate > 0)
        pace_.emplace(options_.rate / static_cast<double>(options_.burst) * static_cast<double>(order_.size()), now);
    if (options_.work == workload::flood) flood_.emplace(options_.flood_rate, now);
}

bool relaying::step(time_point now) {
    const bool sent = send_round(now);
    return hear() || sent;
}

void relaying::open_window() {
    if (pace_) skipped_before_ = pace_->skipped();
    if (flood_) flood_skipped_before_ = flood_->skipped();
    result_.clocks.start();
}

void relaying::close_window() {
    result_.clocks.stop();
    if (pace_) result_.skipped = (pace_->skipped() - skipped_before_) * options_.burst;
    if (flood_) flood_skipped_ = flood_->skipped() - flood_skipped_before_;
}

bool relaying::rest(time_point) {
    hear();
    std::uint64_t sent = 0;
    for (const lane& l : lanes_) sent += l.sent;
    return result_.total_arrived[0] + result_.total_arrived[1] == sent;
}

outcome relaying::end() {
    if (flood_) result_.fair = fairness_of_lanes();
    for (std::size_t i = 0; i < lanes_.size(); ++i) result_.total_sent[i % 2] += lanes_[i].sent;
    result_.dropped_here = flows_.io().dropped();
    result_.cipher = flows_.io().cipher();
    flows_.leave();
    return result_;
}

bool relaying::send_round(time_point now) {
    give_up_on_silence(now);
    bool something = pace_ ? send_due(*pace_) : refill();
    if (flood_ && send_flood(*flood_)) something = true;
    if (something) flows_.io().flush(out_);
    return something;
}

bool relaying::send_due(pace& p) {
    // A round that lasts is as good as a wait: what becomes due meanwhile is for the next one.
    std::uint64_t due = p.due(std::chrono::steady_clock::now());
    due = std::min<std::uint64_t>(due, most_in_a_round / options_.burst);
    for (std::uint64_t i = 0; i < due; ++i, p.take()) {
        const std::uint32_t next = order_[p.number() % order_.size()];
        send_burst(next / 2, static_cast<direction>(next % 2));
    }
    return due > 0;
}

bool relaying::send_flood(pace& p) {
    std::uint64_t due = p.due(std::chrono::steady_clock::now());
    due = std::min<std::uint64_t>(due, most_in_a_round - queued());
    for (std::uint64_t i = 0; i < due; ++i, p.take())
        send_one(static_cast<std::uint32_t>(options_.clients - 1), direction::up);
    return due > 0;
}

bool relaying::refill() {
    for (const std::uint32_t next : order_) {
        if (queued() + options_.burst > most_in_a_round) break;
        if (lanes_[next].under_way + options_.burst <= bursts_under_way * options_.burst)
            send_burst(next / 2, static_cast<direction>(next % 2));
    }
    return !out_.empty();
}

void relaying::send_burst(std::uint32_t flow, direction way) {
    for (std::size_t i = 0; i < options_.burst; ++i) send_one(flow, way);
}

void relaying::send_one(std::uint32_t flow, direction way) {
    lane& l = lane_of(flow, way);
    const auto room = std::span(payloads_).subspan(queued() * options_.size, options_.size);
    const auto now = std::chrono::steady_clock::now();
    write_payload(room, {.flow = flow, .way = way, .sequence = l.sent++, .sent = now});
    ++l.under_way;
    if (result_.clocks.contains(now)) {
        ++l.sent_in_window;
        if (!floods(flow)) ++result_.sent;
    }
    flows_.send(flow, way, room, out_);
}

bool relaying::hear() {
    for (int i = 0; i < most_batches; ++i)
        if (flows_.receive(out_, [&](const flows::arrival& a, time_point now) { heard(a, now); }) == 0) return i > 0;
    return true;
}

void relaying::heard(const flows::arrival& a, time_point now) {
    const auto s = read_payload(a.payload, options_.size);
    const bool right =
        s && s->way == a.way && (a.way == direction::up ? flows_.belongs(*a.from, s->flow) : s->flow == a.flow);
    if (!right || s->sequence >= lane_of(s->flow, s->way).sent) {
        ++result_.wrong;
        return;
    }
    lane& l = lane_of(s->flow, s->way);
    switch (l.heard.arrived(s->sequence)) {
    case arrivals::verdict::duplicate:
    case arrivals::verdict::too_late:
        ++result_.duplicates;
        return;
    case arrivals::verdict::reordered:
        ++result_.reordered;
        break;
    case arrivals::verdict::after_gap:
    case arrivals::verdict::next:
        break;
    }
    last_heard_ = now;
    if (l.under_way > 0) --l.under_way;
    ++result_.total_arrived[static_cast<std::size_t>(s->way)];
    const bool of_window = result_.clocks.contains(s->sent);
    if (of_window) ++l.arrived_of_window;
    if (floods(s->flow)) return;
    if (result_.clocks.contains(now)) ++result_.delivered[static_cast<std::size_t>(s->way)];
    if (of_window) {
        ++result_.arrived;
        result_.latency.add(now - s->sent);
    }
}

fairness relaying::fairness_of_lanes() const {
    fairness f;
    const auto flood = 2 * (options_.clients - 1);
    for (std::size_t i = 0; i < flood; i += 2)
        f.equals.push_back(lanes_[i].arrived_of_window + lanes_[i + 1].arrived_of_window);
    f.flood_skipped = flood_skipped_;
    f.flood_sent = lanes_[flood].sent_in_window;
    f.flood_relayed = lanes_[flood].arrived_of_window;
    return f;
}

/// What was lost would otherwise stop a flow that sends as much as returns.
void relaying::give_up_on_silence(time_point now) {
    if (pace_ || now - last_heard_ < silence) return;
    for (lane& l : lanes_) l.under_way = 0;
    last_heard_ = now;
}

} // namespace turn::bench
