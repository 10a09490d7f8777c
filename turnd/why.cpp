#include "why.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "event_log.hpp"
#include "iso_time.hpp"
#include "printable.hpp"
#include "reason_words.hpp"

namespace turnd {
namespace {

using kind = remembered_event::kind;
using time_point = remembered_event::time_point;

/// A live relay is silent by nature at first: connectivity checks take their time.
constexpr std::chrono::seconds time_to_speak{10};

std::string quantity(std::uint64_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string traffic_of(const turn::usage& used) {
    return fmt::format("{} to peers, {} from them", quantity(used.packets_up, "packet"),
                       quantity(used.packets_down, "packet"));
}

std::string by_whom(const remembered_event& e) {
    const std::string client = e.client.to_string();
    return e.user.empty() ? client : fmt::format("{} ({})", printable(e.user), client);
}

std::string often(const remembered_event& e) {
    return e.times == 1 ? std::string() : fmt::format(" ({} since {})", quantity(e.times, "time"), iso_time(e.first));
}

std::string_view word(kind what) noexcept {
    switch (what) {
    case kind::refused:
        return "refused";
    case kind::relay_begun:
        return "relay-begun";
    case kind::relay_ended:
        return "relay-ended";
    }
    return "unknown";
}

std::string code_of(const remembered_event& e) {
    switch (e.what) {
    case kind::refused:
        return std::string(turn::name(e.why));
    case kind::relay_ended:
        return std::string(turn::name(e.used.verdict));
    case kind::relay_begun:
        break;
    }
    return {};
}

reason_words meaning_of(const remembered_event& e) noexcept {
    switch (e.what) {
    case kind::refused:
        return words_of(e.why);
    case kind::relay_ended:
        return words_of(e.used.verdict);
    case kind::relay_begun:
        break;
    }
    return {};
}

/// What happened, without what it means.
std::string sentence(const remembered_event& e) {
    const auto relay = static_cast<std::uint64_t>(e.relay);
    if (e.what == kind::relay_begun)
        return fmt::format("relay {} of {} over {} began at {}", relay, by_whom(e), turn::name(e.protocol),
                           e.relayed.to_string());
    if (e.what == kind::relay_ended)
        return fmt::format("relay {} of {} ended ({}) after {} s: {}", relay, by_whom(e), name_of(e.how),
                           e.used.age.count(), traffic_of(e.used));
    std::string text = fmt::format("{} of {} was answered {}", name_of(e.method), by_whom(e), e.code);
    if (e.why == turn::reason::expired)
        text += fmt::format("; the credential had ended {} s before", e.expired_for.count());
    if (!address_of_somebody{e.peer}.empty()) text += fmt::format("; peer {}", e.peer.to_string());
    if (!e.rule.empty()) text += fmt::format("; rule: {}", printable(e.rule));
    return text;
}

told_event tell(const remembered_event& e) {
    told_event t;
    t.first = e.first;
    t.last = e.last;
    t.times = e.times;
    t.what = word(e.what);
    t.reason = code_of(e);
    t.client = e.client.to_string();
    t.user = printable(e.user);
    t.realm = printable(e.realm);
    t.relay = static_cast<std::uint64_t>(e.relay);
    if (e.what == kind::refused) {
        t.code = e.code;
        t.method = name_of(e.method);
        t.authenticated = e.authenticated;
        if (!address_of_somebody{e.peer}.empty()) t.peer = e.peer.to_string();
        t.rule = printable(e.rule);
        if (e.why == turn::reason::expired) t.expired_for = e.expired_for;
    }
    if (e.what == kind::relay_ended) {
        t.ended_by = name_of(e.how);
        t.usage = e.used;
    }
    t.text = t.reason.empty() ? sentence(e) : fmt::format("{}: {}", t.reason, sentence(e));
    return t;
}

/// What the events come to.
struct findings {
    const remembered_event* problem = nullptr;  ///< the newest that nothing has made good
    const remembered_event* overcome = nullptr; ///< the newest that something has
    const remembered_event* everyday = nullptr; ///< the newest
    const remembered_event* unused = nullptr;   ///< the newest relay that ended without a problem and without data
    const remembered_event* challenge = nullptr;
    const remembered_event* begun = nullptr;
    bool relayed = false; ///< data went both ways
};

/// `events` newest first; `good_at`: when a live relay was seen to carry data both ways.
findings find(const std::vector<remembered_event>& events, bool of_one_relay, std::optional<time_point> good_at) {
    findings f;
    time_point last_begun{}, last_good = good_at.value_or(time_point{});
    for (const remembered_event& e : events) {
        if (e.what == kind::relay_begun) last_begun = std::max(last_begun, e.last);
        if (e.what == kind::relay_ended && e.used.verdict == turn::verdict::ok) last_good = std::max(last_good, e.last);
    }
    const auto keep_first = [](const remembered_event*& slot, const remembered_event& e) {
        if (slot == nullptr) slot = &e;
    };
    for (const remembered_event& e : events) {
        // A new relay shows that refusals are over, and nothing of data; data shows nothing of another log-in.
        const bool by_relay = e.what == kind::refused && !of_one_relay;
        const bool made_good = e.last < (by_relay ? last_begun : last_good);
        const weight how_bad = meaning_of(e).how_bad;
        if (e.what == kind::relay_begun) keep_first(f.begun, e);
        if (how_bad == weight::problem) keep_first(made_good ? f.overcome : f.problem, e);
        if (how_bad == weight::everyday) keep_first(e.what == kind::relay_ended ? f.unused : f.everyday, e);
        if (e.what == kind::refused && e.why == turn::reason::first_challenge) keep_first(f.challenge, e);
    }
    f.relayed = last_good != time_point{};
    return f;
}

void blame(why_answer& a, const remembered_event& e) {
    a.reason = code_of(e);
    a.code = e.what == kind::refused ? e.code : std::uint16_t{0};
    a.time = e.last;
    a.times = e.times;
}

std::string account(const remembered_event& e) {
    return fmt::format("{}: {}. At {} {}{}.", code_of(e), meaning_of(e).meaning, iso_time(e.last), sentence(e),
                       often(e));
}

bool flows_now(const std::vector<turn::allocation_report>& live) {
    return std::any_of(live.begin(), live.end(),
                       [](const turn::allocation_report& r) { return r.used.verdict == turn::verdict::ok; });
}

/// A live relay whose verdict weighs so much, as if it had just ended. None where another one works: clients try
/// several ways at once.
std::optional<remembered_event> find_live(const std::vector<turn::allocation_report>& live, weight how_bad,
                                          time_point now) {
    if (flows_now(live)) return {};
    for (const turn::allocation_report& r : live) {
        const bool silent =
            r.used.verdict == turn::verdict::peer_silent || r.used.verdict == turn::verdict::client_silent;
        if (words_of(r.used.verdict).how_bad != how_bad || (silent && r.used.age < time_to_speak)) continue;
        remembered_event e = event_of(r, kind::relay_ended, now);
        e.used = r.used;
        return e;
    }
    return {};
}

std::string account_of_live(const remembered_event& e) {
    return fmt::format("{}: {}. Relay {} of {} is alive since {} s: {}.", code_of(e), meaning_of(e).meaning,
                       static_cast<std::uint64_t>(e.relay), by_whom(e), e.used.age.count(), traffic_of(e.used));
}

void say_unknown(why_answer& a) {
    a.outcome = why_outcome::unknown;
    a.explanation =
        fmt::format("Nothing is known of {}. The memory goes back to {}.", a.subject, iso_time(a.remembered_since));
    a.remedy = "If the client has tried since then, it did not reach this server, or came by another name or address: "
               "look for its address with `turnctl why client`, and try `turnctl check` from where it is";
}

void say_fine(why_answer& a, const findings& f) {
    a.outcome = why_outcome::ok;
    a.explanation = f.begun != nullptr ? fmt::format("Works: {} at {}", sentence(*f.begun), iso_time(f.begun->last))
                                       : std::string("Works");
    a.explanation += a.relays.empty() ? "." : fmt::format("; {} alive.", quantity(a.relays.size(), "relay"));
    a.remedy = "nothing";
    if (f.overcome == nullptr) return;
    a.outcome = why_outcome::recovered;
    blame(a, *f.overcome);
    a.explanation = fmt::format("Works now. The last problem was {}", account(*f.overcome));
    a.remedy = "nothing, as it works now; else: " + std::string(meaning_of(*f.overcome).remedy);
}

void say_inconclusive(why_answer& a, const remembered_event& e, std::string explanation) {
    a.outcome = why_outcome::inconclusive;
    blame(a, e);
    a.explanation = std::move(explanation);
    a.remedy = meaning_of(e).remedy;
}

void say_failing(why_answer& a, const remembered_event& e, std::string explanation) {
    a.outcome = why_outcome::failing;
    blame(a, e);
    a.explanation = std::move(explanation);
    a.remedy = meaning_of(e).remedy;
}

void conclude(why_answer& a, const std::vector<remembered_event>& events, const findings& f, time_point now) {
    if (const auto live = find_live(a.relays, weight::problem, now))
        return say_failing(a, *live, account_of_live(*live));
    if (f.problem != nullptr) return say_failing(a, *f.problem, account(*f.problem));
    if (!f.relayed && f.overcome == nullptr) {
        if (const auto idle = find_live(a.relays, weight::everyday, now))
            return say_inconclusive(a, *idle, account_of_live(*idle));
        if (f.unused != nullptr && a.relays.empty()) return say_inconclusive(a, *f.unused, account(*f.unused));
    }
    if (f.relayed || f.begun != nullptr || !a.relays.empty()) return say_fine(a, f);
    if (f.everyday != nullptr) return say_inconclusive(a, *f.everyday, account(*f.everyday));
    if (events.empty()) return say_unknown(a);
    const remembered_event& e = f.challenge != nullptr ? *f.challenge : events.front();
    say_inconclusive(a, e, account(e));
}

why_answer answer(const event_memory& memory, std::string subject, recollection known,
                  std::vector<turn::allocation_report> live, bool of_one_relay) {
    why_answer a;
    a.subject = std::move(subject);
    a.relays = std::move(live);
    a.remembered_since = memory.since();
    std::transform(known.events.begin(), known.events.end(), std::back_inserter(a.events), tell);
    const time_point now = memory.now();
    const auto good_at = flows_now(a.relays) ? std::optional(now) : std::nullopt;
    conclude(a, known.events, find(known.events, of_one_relay, good_at), now);
    return a;
}

} // namespace

std::string_view name_of(why_outcome outcome) noexcept {
    switch (outcome) {
    case why_outcome::unknown:
        return "unknown";
    case why_outcome::ok:
        return "ok";
    case why_outcome::recovered:
        return "recovered";
    case why_outcome::failing:
        return "failing";
    case why_outcome::inconclusive:
        return "inconclusive";
    }
    return "unknown";
}

why_answer why_user(const event_memory& memory, std::string_view user, std::optional<std::string_view> realm,
                    std::vector<turn::allocation_report> live) {
    return answer(memory, "user " + printable(user), memory.of_user(user, realm), std::move(live), false);
}

why_answer why_client(const event_memory& memory, const turn::transport_address& client,
                      std::vector<turn::allocation_report> live) {
    return answer(memory, "client " + client.ip_to_string(), memory.of_client(client), std::move(live), false);
}

why_answer why_relay(const event_memory& memory, turn::allocation_id id, std::vector<turn::allocation_report> live) {
    return answer(memory, "relay " + std::to_string(static_cast<std::uint64_t>(id)), memory.of_relay(id),
                  std::move(live), true);
}

} // namespace turnd
