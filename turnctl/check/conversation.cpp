#include "turnctl/check/conversation.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "turn/channel_data.hpp"

namespace turnctl::check {
namespace {

using turn::bytes;
using turn::client;
using turn::time_point;
using kind = trouble::kind;

time_point read_clock() {
    return std::chrono::steady_clock::now();
}

/// Over UDP requests leave at 0, 1, 3 and 7 tenths of the patience; over streams once. Either is given up at its end.
turn::client_options options_for(const turn::transport_address& server, turn::socket_id via, const who& w,
                                 std::chrono::milliseconds patience) {
    return {.server = server,
            .via = via,
            .username = w.username,
            .password = w.password,
            .rto = patience / 10,
            .rc = 4,
            .rm = 3,
            .keep_alive = false};
}

} // namespace

conversation::conversation(std::unique_ptr<server_link> link, const turn::transport_address& server, const who& w,
                           std::chrono::milliseconds patience, time_point last)
    : link_(std::move(link)), core_(options_for(server, link_->id(), w, patience)), patience_(patience), last_(last) {}

conversation::answer<client::mapped> conversation::bind() {
    core_.bind(read_clock(), out_);
    return await<client::mapped>();
}

conversation::answer<client::allocated> conversation::allocate() {
    core_.allocate({}, read_clock(), out_);
    return await<client::allocated>();
}

conversation::answer<client::permitted> conversation::permit(const turn::transport_address& peer) {
    core_.permit({&peer, 1}, read_clock(), out_);
    return await<client::permitted>();
}

conversation::answer<client::channel_bound> conversation::bind_channel(std::uint16_t number,
                                                                       const turn::transport_address& peer) {
    core_.bind_channel(number, peer, read_clock(), out_);
    return await<client::channel_bound>();
}

conversation::answer<client::refreshed> conversation::end() {
    core_.refresh(std::chrono::seconds(0), std::nullopt, read_clock(), out_);
    return await<client::refreshed>();
}

void conversation::send(const turn::transport_address& peer, std::string_view text) {
    if (!core_.send(peer, std::as_bytes(std::span(text)), out_)) return;
    static_cast<void>(flush(read_clock() + patience_)); // a link that ended shows when the echo does not come
}

std::deque<conversation::arrival> conversation::take_arrivals() {
    static_cast<void>(step(read_clock()));
    return std::exchange(arrivals_, {});
}

template <class Event>
conversation::answer<Event> conversation::await() {
    heard_stun_ = false;
    heard_garbage_.clear();
    const auto until = std::min(read_clock() + 2 * patience_, last_);
    do {
        if (auto failed = step(std::min(until, core_.next_deadline()))) return std::move(*failed);
        while (!news_.empty()) {
            news first = std::move(news_.front());
            news_.pop_front();
            if (auto* done = std::get_if<Event>(&first)) return std::move(*done);
            if (auto* failed = std::get_if<trouble>(&first)) return std::move(*failed);
        }
    } while (read_clock() < until);
    return trouble{.what = heard_stun_ ? kind::unusable : kind::silence};
}

/// Sends what waits, hands what has come by `until` to the client, and lets its time pass.
std::optional<trouble> conversation::step(time_point until) {
    if (auto failed = flush(read_clock() + patience_)) return failed;
    const auto came = link_->receive(until);
    if (!came) {
        broken_ = true;
        return came.error();
    }
    const auto now = read_clock();
    for (const bytes message : *came) {
        if (turn::stun::message_view::parse(message)) {
            heard_stun_ = true;
        } else if (!turn::channel_data::parse(message) && heard_garbage_.empty()) {
            const bytes shown = message.first(std::min<std::size_t>(message.size(), 40));
            heard_garbage_.assign(reinterpret_cast<const char*>(shown.data()), shown.size());
        }
        if (const auto e = core_.handle(message, now, out_)) note(*e);
    }
    while (const auto e = core_.tick(now, out_)) note(*e);
    return flush(read_clock() + patience_);
}

void conversation::note(const client::event& e) {
    std::visit(
        [this](const auto& what) {
            using type = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<type, client::peer_data>) {
                arrivals_.push_back({what.from, {reinterpret_cast<const char*>(what.data.data()), what.data.size()}});
            } else if constexpr (std::is_same_v<type, client::failed>) {
                round_trip_ = read_clock() - last_sent_;
                news_.emplace_back(failure(what));
            } else if constexpr (std::is_same_v<type, client::redirected>) { // another server's virtues prove nothing
                news_.emplace_back(
                    trouble{.what = kind::answered, .code = 300, .words = "Try Alternate: " + what.server.to_string()});
            } else if constexpr (std::is_constructible_v<news, const type&>) { // what we ask for, and nothing else
                round_trip_ = read_clock() - last_sent_;
                news_.emplace_back(what);
            }
        },
        e);
}

trouble conversation::failure(const client::failed& f) const {
    const std::string words(f.phrase);
    if (f.code != 0) return {.what = kind::answered, .code = f.code, .words = words};
    if (heard_stun_) return {.what = kind::unusable, .words = words};
    if (!heard_garbage_.empty()) return {.what = kind::garbage, .words = heard_garbage_};
    return {.what = kind::silence, .words = words};
}

std::optional<trouble> conversation::flush(time_point deadline) {
    if (out_.empty()) return std::nullopt;
    last_sent_ = read_clock();
    auto sent = link_->send(out_.datagrams(), deadline);
    if (sent) sent = link_->send(out_.frames(), deadline);
    out_.clear();
    if (!sent) return sent.error();
    return std::nullopt;
}

} // namespace turnctl::check
