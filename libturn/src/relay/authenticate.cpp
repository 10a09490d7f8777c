/// The long-term credential mechanism: RFC 8489, 9.2.4, with look-ups that may take their time.
///
/// A nonce we never gave to this IP is refused before anybody is looked up, so that spoofed requests buy no database
/// work. Unknown users and wrong passwords get the same answer for the same number of HMAC computations.

#include <new>

#include "base/crypto.hpp"
#include "relay/state.hpp"

namespace turn {

namespace {

/// Larger signed requests are refused unparked: 64 peers in one CreatePermission take 1.5 kB.
constexpr std::size_t largest_parked_request = 4096;

/// USERNAME or USERHASH, one of which must be there.
outcome read_user(request& r) {
    const auto username = r.message.get<stun::username>();
    if (username) {
        r.username = *username;
        return success;
    }
    if (username.error() != errc::missing_attribute) return bad_request(username.error());
    const auto userhash = r.message.get<stun::userhash>();
    if (!userhash) return bad_request(userhash.error());
    r.userhash = *userhash;
    return success;
}

/// Whether the list is what answer() offers.
bool is_our_offer(const stun::password_algorithms::value_type& list) noexcept {
    const auto ours = offered_algorithms();
    if (list.count != ours.count) return false;
    for (std::size_t i = 0; i < ours.count; ++i)
        if (list.list[i].number != ours.list[i].number) return false;
    return true;
}

/// PASSWORD-ALGORITHMS as we sent it and PASSWORD-ALGORITHM out of it; neither: the client is one of RFC 5389 and has
/// an MD5 key.
outcome read_algorithm(request& r, std::string_view nonce) {
    const auto features = stun::features_of(nonce);
    if (!features || !features->password_algorithms) return success;
    const auto list = r.message.get<stun::password_algorithms>();
    const auto chosen = r.message.get<stun::password_algorithm>();
    const auto is_absent = [](const auto& attribute) {
        return !attribute && attribute.error() == errc::missing_attribute;
    };
    if (is_absent(list) && is_absent(chosen)) return success;
    if (!list) return bad_request(list.error());
    if (!chosen) return bad_request(chosen.error());
    const auto ours = offered_algorithms();
    const auto end = ours.list.begin() + static_cast<std::ptrdiff_t>(ours.count);
    const bool is_ours = std::any_of(ours.list.begin(), end, [&](const auto& a) { return a.number == chosen->number; });
    if (!is_our_offer(*list) || !is_ours) return bad_request(reason::algorithms_altered);
    r.algorithm = chosen->number;
    r.names_algorithm = true;
    return success;
}

} // namespace

void relay::state::authenticate(request& r, outbox& out) {
    if (options_.anonymous) { // an open relay by the operator's choice: there is nothing to prove
        r.proven = true;
        return authenticated(r, out);
    }
    if (!r.message.has_integrity()) return answer(r, {.code = 401, .why = reason::first_challenge}, {}, out);

    if (const outcome o = read_user(r); o.code != 0) return answer(r, o, {}, out);
    const auto realm = r.message.get<stun::realm>();
    const auto nonce = r.message.get<stun::nonce>();
    for (const auto* text : {&realm, &nonce})
        if (!*text) return answer(r, bad_request(text->error()), {}, out);

    const auto verdict = nonces_.check(*nonce, r.tuple.client, r.now);
    if (verdict == stun::nonce_issuer::verdict::foreign)
        return answer(r, {.code = 438, .why = reason::foreign_nonce}, {}, out);
    r.proven = true;
    if (const outcome o = read_algorithm(r, *nonce); o.code != 0) return answer(r, o, {}, out);
    if (*realm != listeners_[r.listener].realm) return answer(r, {.code = 401, .why = reason::wrong_realm}, {}, out);

    if (const allocation* a = signed_for(r); a != nullptr && has_key_for(r, *a)) {
        r.username = a->username;
        return verify(r, credential{.key = a->key}, out);
    }
    park(r, out);
}

bool relay::state::has_key_for(const request& r, const allocation& a) noexcept {
    const bool same_user = r.userhash ? a.userhash != nullptr && *a.userhash == *r.userhash : a.username == r.username;
    return same_user && a.algorithm == r.algorithm;
}

void relay::state::park(request& r, outbox& out) {
    const transaction_key key{r.tuple, r.message.id()};
    if (lookups_.contains(key)) { // a retransmission: the answer to the first one serves both
        ++books_.absorbed;
        return;
    }
    if (r.message.raw().size() > largest_parked_request) return drop(r.slot, direction::up, reason::too_big);
    if (lookups_.full()) return drop(r.slot, direction::up, reason::lookups_full);
    try {
        const auto i = lookups_.park(key, r.message.raw());
        // Reserved before anything depends on it, so that running out of memory leaves no request behind.
        try {
            deadlines_.reserve(deadline_of_lookup(i));
        } catch (const std::bad_alloc&) {
            (void)lookups_.take(i);
            throw;
        }
        deadlines_.set(deadline_of_lookup(i), r.now + options_.credential_timeout);
        ++books_.pending;
        // The views point into the parked copy, which outlives this flush.
        const auto parked = stun::message_view::parse(lookups_[i].request);
        out.ask(credential_wanted{lookups_.ticket(i),
                                  {.username = parked->get<stun::username>().value_or(""),
                                   .realm = listeners_[r.listener].realm,
                                   .userhash = r.userhash,
                                   .algorithm = r.algorithm}});
    } catch (const std::bad_alloc&) {
        drop(r.slot, direction::up, reason::out_of_memory);
    }
}

outcome relay::state::integrity_failure(reason why) const noexcept {
    return {.code = options_.integrity_failure_code, .why = why};
}

bool relay::state::verify_with(request& r, const credential& c) const noexcept {
    if (r.message.check_integrity(c.key)) {
        r.key = c.key;
        return true;
    }
    for (const stun::credential_key& key : c.alternatives)
        if (r.message.check_integrity(key)) {
            r.key = key;
            return true;
        }
    return false;
}

/// Continues a parked request, of which everything up to the user's name was found good.
void relay::state::looked_up(request& r, const credential_answer& found, outbox& out) {
    (void)read_user(r);
    (void)read_algorithm(r, r.message.get<stun::nonce>().value_or(""));
    if (r.userhash && found.found) {
        r.username = found.found->username;
        if (r.username.empty()) return answer(r, {.code = 500, .why = reason::credential_source_failed}, {}, out);
    }
    verify(r, found, out);
}

/// RFC 8489, 9.2.4 from the user's name on.
void relay::state::verify(request& r, const credential_answer& found, outbox& out) {
    if (!found.found) {
        if (found.why == reason::credential_source_failed) return answer(r, {.code = 500, .why = found.why}, {}, out);
        for (std::size_t i = 0; i < found.keys_to_try; ++i) // as dear as a wrong password
            (void)r.message.check_integrity(dummy_key_).has_value();
        outcome refused = integrity_failure(found.why);
        refused.expired_for = found.expired_for;
        return answer(r, refused, {}, out);
    }
    if (!verify_with(r, *found.found)) return answer(r, integrity_failure(reason::bad_password), {}, out);

    const auto nonce = r.message.get<stun::nonce>();
    if (!nonce || stun::nonce_issuer::has_expired(*nonce, r.now)) { // ours it was before anybody was looked up
        r.key = {};
        return answer(r, {.code = 438, .why = reason::stale_nonce}, {}, out);
    }
    r.user = &*found.found;
    authenticated(r, out);
}

outcome relay::state::require_known(const request& r, reply& content) const noexcept {
    const std::size_t count = r.message.unknown_required(content.unknown.types);
    content.unknown.count = std::min(count, content.unknown.types.size());
    return count == 0 ? success : outcome{.code = 420, .why = reason::unknown_attribute};
}

/// The request is who it says it is. Refusals in the order 420, 437 or 441, then the method's own.
void relay::state::authenticated(request& r, outbox& out) {
    reply content;
    const auto handle = [&]() -> outcome {
        if (const outcome o = require_known(r, content); o.code != 0) return o;
        const bool exists = r.slot != request::no_slot;
        const stun::method method = r.message.method();
        if (method == stun::method::allocate) return allocate(r, content, out);
        if (method == stun::method::connection_bind) return connection_bind(r, out);
        if (!exists) return {.code = 437, .why = reason::allocation_mismatch};
        if (allocations_[r.slot].username != r.username) return {.code = 441, .why = reason::wrong_credentials};
        switch (method) {
        case stun::method::refresh:
            return refresh(r, content, out);
        case stun::method::create_permission:
            return create_permission(r);
        case stun::method::connect:
            return connect(r, content, out);
        default:
            return channel_bind(r);
        }
    };
    outcome o;
    try {
        o = handle();
    } catch (const std::bad_alloc&) {
        content = {};
        o = insufficient_capacity(reason::out_of_memory);
    }
    if (!content.later) answer(r, o, content, out);
}

} // namespace turn
