#include "event_memory.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "rest_credentials.hpp"

namespace turnd {
namespace {

/// The realm's length goes first, so that no user can pass for one of another realm.
std::string user_key(std::string_view realm, std::string_view account) {
    return std::to_string(realm.size()).append(1, ':').append(realm).append(account);
}

/// Whether the later of the two takes the earlier one's place, with a number.
bool alike(const remembered_event& a, const remembered_event& b) noexcept {
    if (a.what != b.what) return false;
    switch (a.what) {
    case remembered_event::kind::refused:
        return a.why == b.why && a.code == b.code;
    case remembered_event::kind::relay_begun:
        return true;
    case remembered_event::kind::relay_ended:
        return a.how == b.how && a.used.verdict == b.used.verdict;
    }
    return false;
}

/// Whether the address it came from may be forged.
bool is_unproven(turn::reason why) noexcept {
    return why == turn::reason::first_challenge || why == turn::reason::foreign_nonce;
}

bool by_time(const remembered_event& a, const remembered_event& b) noexcept {
    return a.last < b.last;
}

/// An end tells all that a begin does. That leaves one event of most relays, and of them there are many.
void forget_begin(std::vector<remembered_event>& of_relay) {
    std::erase_if(of_relay, [](const remembered_event& e) { return e.what == remembered_event::kind::relay_begun; });
}

/// Newest first.
recollection in_order(recollection r) {
    std::stable_sort(r.events.rbegin(), r.events.rend(), by_time);
    return r;
}

/// Adds what two tables know of `key`.
template <class Tables, class Key>
void recall(const Tables& tables, const Key& key, recollection& found) {
    for (const auto* table : {&tables.proven, &tables.claimed}) {
        const auto* known = table->find(key);
        if (known == nullptr) continue;
        found.proven = found.proven || table == &tables.proven;
        found.events.insert(found.events.end(), known->begin(), known->end());
    }
}

} // namespace

std::string_view account_of(std::string_view username) noexcept {
    const auto name = parse_time_limited_name(username);
    return name && !name->user.empty() ? name->user : username;
}

remembered_event event_of(const turn::refusal& r, remembered_event::time_point now) {
    remembered_event e;
    e.what = remembered_event::kind::refused;
    e.first = e.last = now;
    e.client = r.client;
    e.user = r.username;
    e.realm = r.realm;
    e.relay = r.allocation;
    e.why = r.why;
    e.method = r.method;
    e.code = r.code;
    e.authenticated = r.authenticated;
    e.peer = r.peer;
    e.rule = r.rule;
    e.expired_for = r.expired_for;
    return e;
}

std::size_t event_memory::ip_hash::operator()(const turn::transport_address& a) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(a.ip.data()), a.ip.size()});
}

event_memory::event_memory(memory_limits limits, clock now)
    : limits_(limits), now_(std::move(now)), since_(now_()), users_{recent_table<std::string, events>(limits.proven),
                                                                    recent_table<std::string, events>(limits.claimed)},
      clients_{recent_table<turn::transport_address, events, ip_hash>(limits.proven),
               recent_table<turn::transport_address, events, ip_hash>(limits.claimed)},
      relays_(limits.relays), strangers_(limits.strangers_per_second) {}

void event_memory::allocation_created(const turn::allocation_info& a) noexcept try {
    note(event_of(a, remembered_event::kind::relay_begun, now_()), true);
} catch (const std::bad_alloc&) {
    lost_.fetch_add(1, std::memory_order_relaxed);
}

void event_memory::allocation_ended(const turn::allocation_info& a, const turn::usage& used,
                                    turn::allocation_end how) noexcept try {
    remembered_event e = event_of(a, remembered_event::kind::relay_ended, now_());
    e.used = used;
    e.how = how;
    note(e, true);
} catch (const std::bad_alloc&) {
    lost_.fetch_add(1, std::memory_order_relaxed);
}

void event_memory::request_refused(const turn::refusal& r) noexcept try {
    const auto now = now_();
    if (is_unproven(r.why) && !strangers_.take(std::chrono::steady_clock::time_point(now.time_since_epoch()))) {
        lost_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    note(event_of(r, now), r.authenticated);
} catch (const std::bad_alloc&) {
    lost_.fetch_add(1, std::memory_order_relaxed);
}

void event_memory::note(const remembered_event& e, bool proven) {
    if (!e.user.empty()) {
        const std::string key = user_key(e.realm, account_of(e.user));
        const std::lock_guard lock(users_.mutex);
        if (realms_.size() < limits_.realms && std::find(realms_.begin(), realms_.end(), e.realm) == realms_.end())
            realms_.push_back(e.realm);
        note_in(users_, key, e, proven);
    }
    {
        const std::lock_guard lock(clients_.mutex);
        note_in(clients_, e.client.with_port(0), e, proven);
    }
    if (e.relay != turn::allocation_id{}) {
        const std::lock_guard lock(relays_mutex_);
        events& mine = relays_.use(static_cast<std::uint64_t>(e.relay));
        if (e.what == remembered_event::kind::relay_ended) forget_begin(mine);
        add(mine, e);
    }
}

/// What somebody unproven is said to have done is noted with the proven one of that name, but does not make him more
/// recent: else strangers decided who is forgotten. Under the lock of `tables`.
template <class Key, class Hash>
void event_memory::note_in(two_tables<Key, Hash>& tables, const Key& key, const remembered_event& e,
                           bool proven) const {
    if (!proven) {
        events* known = tables.proven.find(key);
        return add(known != nullptr ? *known : tables.claimed.use(key), e);
    }
    events& mine = tables.proven.use(key);
    if (mine.empty()) mine = tables.claimed.take(key);
    add(mine, e);
}

/// What is alike becomes one; what is oldest gives way. Assigned in place: texts keep their memory.
void event_memory::add(events& to, const remembered_event& e) const {
    const auto same = std::find_if(to.begin(), to.end(), [&](const remembered_event& old) { return alike(old, e); });
    if (same == to.end() && to.size() < limits_.events) return to.push_back(e);
    if (same == to.end()) {
        *std::min_element(to.begin(), to.end(), by_time) = e;
        return;
    }
    const auto first = same->first;
    const std::uint64_t times = same->times;
    *same = e;
    same->first = first;
    same->times = times + 1;
}

recollection event_memory::of_user(std::string_view name, std::optional<std::string_view> realm) const {
    recollection found;
    const std::lock_guard lock(users_.mutex);
    for (const std::string& r : realms_) {
        if (realm && *realm != r) continue;
        recall(users_, user_key(r, account_of(name)), found);
    }
    return in_order(std::move(found));
}

recollection event_memory::of_client(const turn::transport_address& client) const {
    recollection found;
    const std::lock_guard lock(clients_.mutex);
    recall(clients_, client.with_port(0), found);
    return in_order(std::move(found));
}

recollection event_memory::of_relay(turn::allocation_id id) const {
    recollection found;
    const std::lock_guard lock(relays_mutex_);
    if (const events* known = relays_.find(static_cast<std::uint64_t>(id))) {
        found.proven = true;
        found.events = *known;
    }
    return in_order(std::move(found));
}

std::size_t event_memory::size() const {
    const std::scoped_lock lock(users_.mutex, clients_.mutex, relays_mutex_);
    return users_.proven.size() + users_.claimed.size() + clients_.proven.size() + clients_.claimed.size() +
           relays_.size();
}

} // namespace turnd
