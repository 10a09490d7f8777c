/// Allocate: RFC 8656, 7.2.

#include <algorithm>

#include "relay/state.hpp"

namespace turn {

namespace {

/// What an Allocate asks for, when it may ask for it. RFC 8656, 7.2 items 3 to 9: all the 400s come first.
struct wishes {
    transport relayed = transport::udp;
    address_family family = address_family::ipv4;
    bool additional_ipv6 = false;
    port_wish port = port_wish::any;
    std::optional<relay_addresses::token> token{};
    std::optional<std::chrono::seconds> lifetime{};
};

/// As drafts of RFC 8656 numbered it, and coturn's clients of 4.6 still do.
struct additional_address_family_of_drafts : stun::additional_address_family {
    static constexpr std::uint16_t type = 0x8032;
};

/// The attribute when present and good, nothing when absent; anything else is remembered in `bad`.
template <class A>
std::optional<typename A::value_type> optional_attribute(const stun::message_view& m, bool& bad) {
    const auto value = m.get<A>();
    if (value) return *value;
    bad = bad || value.error() != errc::missing_attribute;
    return std::nullopt;
}

/// RFC 6062, 5.1 items 2 and 3: what a TCP allocation may be asked for over, and not with.
outcome read_tcp_wishes(const stun::message_view& m, socket_id via) {
    if (!is_stream(via)) return bad_request(reason::unsupported_transport);
    const bool of_udp = m.has<stun::dont_fragment>() || m.has<stun::even_port>() || m.has<stun::reservation_token>();
    return of_udp ? bad_request(reason::bad_attribute) : success;
}

outcome read_wishes(const stun::message_view& m, socket_id via, bool tcp_relay, wishes& w) {
    const auto protocol = m.get<stun::requested_transport>();
    if (!protocol) return bad_request(protocol.error());
    const bool tcp = *protocol == stun::requested_transport::tcp && tcp_relay;
    if (tcp)
        if (const outcome o = read_tcp_wishes(m, via); o.code != 0) return o;

    bool bad = false;
    const auto even_port = optional_attribute<stun::even_port>(m, bad);
    const auto family = optional_attribute<stun::requested_address_family>(m, bad);
    auto additional = optional_attribute<stun::additional_address_family>(m, bad);
    if (!additional) additional = optional_attribute<additional_address_family_of_drafts>(m, bad);
    w.token = optional_attribute<stun::reservation_token>(m, bad);
    w.lifetime = optional_attribute<stun::lifetime>(m, bad);
    if (bad) return bad_request(reason::bad_attribute);
    if (w.token && (even_port || family || additional)) return bad_request(reason::bad_attribute);
    if (family && additional) return bad_request(reason::bad_attribute);
    if (additional && *additional != address_family::ipv6) return bad_request(reason::bad_attribute);
    if (additional && even_port && even_port->reserve_next) return bad_request(reason::bad_attribute);

    if (!tcp && *protocol != stun::requested_transport::udp) return {.code = 442, .why = reason::unsupported_transport};

    if (family && *family != address_family::ipv4 && *family != address_family::ipv6)
        return {.code = 440, .why = reason::unsupported_family};

    w.relayed = tcp ? transport::tcp : transport::udp;
    w.family = family.value_or(address_family::ipv4);
    w.additional_ipv6 = additional.has_value();
    if (even_port) w.port = even_port->reserve_next ? port_wish::even_and_reserve_next : port_wish::even;
    return success;
}

/// RFC 8656, 3.7: no socket tells us of the DF bit of what it received, so we cannot keep it from IPv4 to IPv6.
bool loses_dont_fragment(const request& r, const wishes& w) noexcept {
    const bool to_ipv6 = w.family == address_family::ipv6 || w.additional_ipv6;
    return to_ipv6 && r.tuple.client.is_ipv4() && !is_stream(r.tuple.via) && r.message.has<stun::dont_fragment>();
}

/// Whether clients of this family can be told of it, in an answer of a bounded size.
bool is_usable(const alternate_server& other, address_family family) noexcept {
    const auto is_name_character = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    return other.address.family == family && (!other.other_family || other.other_family->family != family) &&
           other.domain.size() <= stun::alternate_domain::max_bytes &&
           std::all_of(other.domain.begin(), other.domain.end(), is_name_character);
}

/// The success response of an allocation, the first time and for each retransmission of the request.
reply describe_success(const allocation& a, time_point now) {
    reply content;
    auto expires = time_point::min();
    for (const auto& r : a.relays) {
        if (!r.exists()) continue;
        content.relayed[content.relayed_count++] = r.advertised;
        expires = std::max(expires, r.expires);
    }
    if (a.additional_family_error != 0)
        content.address_error = {a.additional_family_missing, a.additional_family_error, {}};
    content.lifetime = std::chrono::ceil<std::chrono::seconds>(expires - now);
    content.reservation = a.reservation;
    content.mapped = a.client.client;
    return content;
}

reason why_not(errc error) noexcept {
    switch (error) {
    case errc::not_found:
        return reason::bad_token;
    case errc::no_capacity:
        return reason::no_ports;
    default:
        return reason::no_descriptors;
    }
}

/// The relayed transport addresses of an allocation in the making: given back unless kept.
class bound_addresses {
public:
    explicit bound_addresses(relay_addresses& pool) noexcept : pool_(pool) {}
    bound_addresses(const bound_addresses&) = delete;
    bound_addresses& operator=(const bound_addresses&) = delete;
    ~bound_addresses() {
        for (const auto& b : bound_)
            if (b) pool_.cancel(*b);
    }

    /// 440 or 508 when there is no such address.
    outcome bind(address_family family, transport relayed, port_wish wish, time_point now) {
        if (!pool_.supports(family)) return {.code = 440, .why = reason::unsupported_family};
        return keep(pool_.bind(family, relayed, wish, now));
    }
    outcome redeem(const relay_addresses::token& token, time_point now) { return keep(pool_.redeem(token, now)); }

    [[nodiscard]] const std::array<std::optional<relay_addresses::bound>, 2>& all() const noexcept { return bound_; }
    void hand_over() noexcept { bound_ = {}; }

private:
    outcome keep(const result<relay_addresses::bound>& b) {
        if (!b) return insufficient_capacity(why_not(b.error()));
        bound_[family_index(b->address.family)] = *b;
        return success;
    }

    relay_addresses& pool_;
    std::array<std::optional<relay_addresses::bound>, 2> bound_{};
};

/// One unit of the user's quota: given back unless kept.
class quota_unit {
public:
    quota_unit(allocation_quota& quota, std::string_view realm, std::string_view account, std::size_t limit)
        : quota_(quota), realm_(realm), account_(account), refused_(quota.acquire(realm, account, limit)) {}
    quota_unit(const quota_unit&) = delete;
    quota_unit& operator=(const quota_unit&) = delete;
    ~quota_unit() {
        if (refused_ == reason::none && !kept_) quota_.release(realm_, account_);
    }
    [[nodiscard]] reason refused() const noexcept { return refused_; }
    void keep() noexcept { kept_ = true; }

private:
    allocation_quota& quota_;
    std::string_view realm_, account_;
    reason refused_;
    bool kept_ = false;
};

} // namespace

/// RFC 8656, 7.2: the lifetime that is granted for the one asked for, clamped to [default, max].
std::chrono::seconds relay::state::granted_lifetime(std::optional<std::chrono::seconds> wanted) const noexcept {
    if (!wanted) return options_.default_lifetime;
    return std::max(options_.default_lifetime, std::min(*wanted, options_.max_lifetime));
}

/// RFC 8489, 10 and 14.8: only who is authenticated may be sent away, and signed. An open relay cannot sign.
outcome relay::state::redirect(const request& r, reply& content) const try {
    if (!options_.redirect || r.key.size == 0) return success;
    const listener_options& here = listeners_[r.listener];
    auto other = options_.redirect({.client = r.tuple.client,
                                    .server = here.local,
                                    .protocol = here.protocol,
                                    .username = r.username,
                                    .realm = here.realm});
    if (!other || !is_usable(*other, r.tuple.client.family)) return success;
    content.alternate = std::move(other);
    return {.code = 300, .why = reason::redirected};
} catch (...) { // the application's mistake
    return success;
}

outcome relay::state::allocate(request& r, reply& content, outbox& out) {
    if (r.slot != request::no_slot) {
        const allocation& existing = allocations_[r.slot];
        if (existing.created_by != r.message.id() || existing.username != r.username)
            return {.code = 437, .why = reason::allocation_mismatch};
        content = describe_success(existing, r.now);
        return success;
    }
    wishes w;
    if (const outcome o = read_wishes(r.message, r.tuple.via, options_.tcp_relay, w); o.code != 0) return o;
    if (loses_dont_fragment(r, w)) {
        content.unknown.types[content.unknown.count++] = stun::dont_fragment::type;
        return {.code = 420, .why = reason::unknown_attribute};
    }
    if (const outcome o = redirect(r, content); o.code != 0) return o;
    if (draining_) return insufficient_capacity(reason::draining);

    const std::string_view realm = listeners_[r.listener].realm;
    const std::string_view account = r.user == nullptr || r.user->account.empty() ? r.username : r.user->account;
    quota_unit unit(services_.quota, realm, account, r.user == nullptr ? 0 : r.user->allocation_limit);
    if (unit.refused() == reason::quota_user) return {.code = 486, .why = reason::quota_user};
    if (unit.refused() != reason::none || allocations_.size() >= options_.max_allocations)
        return insufficient_capacity(reason::quota_total);

    bound_addresses bound(services_.addresses);
    outcome missing = success; // what a dual request did not get
    address_family missing_family{};
    if (w.token) {
        if (const outcome o = bound.redeem(*w.token, r.now); o.code != 0) return o;
    } else {
        const outcome first = bound.bind(w.family, w.relayed, w.port, r.now);
        if (!w.additional_ipv6 && first.code != 0) return first;
        const outcome second = w.additional_ipv6 ? bound.bind(address_family::ipv6, w.relayed, w.port, r.now) : success;
        if (first.code != 0 && second.code != 0) return first.code == 508 ? first : second;
        missing = first.code != 0 ? first : second;
        missing_family = first.code != 0 ? address_family::ipv4 : address_family::ipv6;
    }

    // Everything that may run out of memory comes before the first change that has to be undone by hand.
    allocation a;
    a.id = allocation_id{next_allocation_};
    a.client = r.tuple;
    a.listener = r.listener;
    a.key = r.key;
    a.algorithm = r.algorithm;
    a.username = r.username;
    if (r.userhash) a.userhash = std::make_unique<const stun::userhash::value_type>(*r.userhash);
    a.account = account;
    a.created_by = r.message.id();
    a.created = r.now;
    a.additional_family_error = missing.code;
    a.additional_family_missing = missing_family;
    const time_point expires = r.now + granted_lifetime(w.lifetime);
    for (const auto& b : bound.all()) {
        if (!b) continue;
        a.relayed(b->address.family) = {b->id, b->address, expires};
        if (b->reservation) a.reservation = b->reservation;
        reserve_entry(b->id);
    }
    const slot s = allocations_.emplace(std::move(a));
    try {
        deadlines_.reserve(deadline_of(s));
        by_tuple_.insert(hash_(r.tuple), s);
    } catch (const std::bad_alloc&) {
        allocations_.erase(s);
        throw;
    }

    const allocation& made = allocations_[s];
    const std::size_t transport = transport_of(made.listener);
    for (const auto& relayed : made.relays) {
        if (!relayed.exists()) continue;
        const address_family f = relayed.advertised.family;
        set_entry(relayed.id, {.what = socket_entry::kind::relay, .family = f, .index = s});
        ++books_.relayed_addresses[transport][family_index(f)];
    }
    schedule(s);
    unit.keep();
    bound.hand_over();
    next_allocation_ += services_.allocation_id_step;
    ++books_.allocations;
    ++books_.allocations_over[transport];
    if (made.relays_tcp()) ++books_.tcp_allocations;
    ++books_.allocations_created;
    if (is_connection(r.tuple.via)) out.ask(connection_claimed{r.tuple.via, true});
    r.slot = s;
    content = describe_success(made, r.now);
    if (services_.events != nullptr) services_.events->allocation_created(describe(made));
    return success;
}

} // namespace turn
