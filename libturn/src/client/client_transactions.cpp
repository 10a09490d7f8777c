/// Requests in flight: sent, sent again, challenged, answered. RFC 8489, 6.2.1, 6.3 and 9.2.5.

#include <algorithm>
#include <array>

#include "base/crypto.hpp"
#include "client/client_state.hpp"
#include "turn/stun/attributes.hpp"

namespace turn {
namespace {

/// Challenges one transaction answers. A server that goes on asking does not want us.
constexpr unsigned max_retries = 3;
constexpr std::uint16_t try_alternate = 300;

/// What the application asked for, it finds by the id that it was told.
std::optional<client::event> named(std::optional<client::event> outcome, const stun::transaction_id& id) {
    const auto name = [&](auto& what) {
        if constexpr (requires { what.id; }) what.id = id;
    };
    if (outcome) std::visit(name, *outcome);
    return outcome;
}

constexpr std::string_view no_answer = "no answer";
constexpr std::string_view tampered_with = "answers came, but none was signed with this password";
constexpr std::string_view unusable_credentials = "user name or password are not allowed in credentials";
constexpr std::string_view no_algorithm = "the server wants keys made in a way we do not know";
constexpr std::string_view stripped = "somebody has taken PASSWORD-ALGORITHMS out of the server's answer";
constexpr std::string_view too_large = "the request does not fit into one message";
constexpr std::string_view unknown_attributes = "the answer needs attributes we do not know";

stun::transaction_id fresh_id() noexcept {
    stun::transaction_id id;
    crypto::random(id);
    return id;
}

/// The nonce announces password algorithms, and there are none: a bid-down attack. RFC 8489, 9.2.1 and 9.2.5.
bool is_stripped(const stun::message_view& m) noexcept {
    const auto nonce = m.get<stun::nonce>();
    const auto features = nonce ? stun::features_of(*nonce) : std::nullopt;
    return features && features->password_algorithms && !m.has<stun::password_algorithms>();
}

/// The first of the list that we have.
std::optional<stun::password_algorithm_number> choose(const stun::password_algorithms::value_type& offered) noexcept {
    for (std::size_t i = 0; i < offered.count; ++i) {
        const auto number = offered.list[i].number;
        if (number == stun::password_algorithm_number::md5 || number == stun::password_algorithm_number::sha256)
            return number;
    }
    return std::nullopt;
}

/// To be sent back as it came; empty: longer than any sensible one.
std::vector<std::byte> written(const stun::password_algorithms::value_type& list) {
    std::array<std::byte, 256> room;
    const auto size = stun::password_algorithms::encode(list, {}, room);
    return {room.begin(), room.begin() + static_cast<std::ptrdiff_t>(size.value_or(0))};
}

} // namespace

/// A stream loses nothing, so a request goes once; it is given up after the time it would have over UDP, which is the
/// Ti of RFC 8489, 6.2.2: 39.5 s.
retransmission::timing timing_of(const client_options& o) noexcept {
    if (!is_stream(o.via)) return {o.rto, o.rc, o.rm};
    return {o.rto, 1, (1U << (std::min(o.rc, 16U) - 1)) - 1 + o.rm};
}

stun::transaction_id client::state::begin(request what, bool automatic, time_point now, outbox& out) {
    if (transactions.size() >= max_transactions) return {};
    transaction t{.what = std::move(what), .timetable = {timing_of(options), now}, .automatic = automatic};
    // A first request says nothing of us; nor does Binding, which needs no credentials. RFC 8489, 9.2.3.1.
    if (known && method_of(t.what) != stun::method::binding) t.with = known;
    prepare(t, now);
    t.first_id = t.id;
    transmit(t, now, out);
    transactions.push_back(std::move(t));
    return transactions.back().first_id;
}

/// Writes the request with a new transaction id and starts its timetable. False: it cannot be written.
bool client::state::prepare(transaction& t, time_point now) {
    std::array<std::byte, outbox::largest_answer> room;
    t.id = fresh_id();
    t.timetable = {timing_of(options), now};
    const auto written = write(t.what, t.id, options, t.with ? &*t.with : nullptr, room);
    t.wire.clear();
    if (written) t.wire.assign(written->begin(), written->end());
    return bool(written);
}

/// Without room in the outbox it stays due, and the next tick() sends it; without a connection it waits for one.
void client::state::transmit(transaction& t, time_point now, outbox& out) const {
    if (t.wire.empty()) return;
    if (away) {
        t.timetable = {timing_of(options), time_point::max()};
        return;
    }
    if (!out.has_room()) return;
    const auto copy = out.scratch(t.wire.size()); // the transaction may end before the outbox is flushed
    std::ranges::copy(t.wire, copy.begin());
    out.send({.via = options.via, .to = options.server, .body = copy});
    t.timetable.sent(now);
}

std::optional<client::event> client::state::retransmit_or_give_up(time_point now, outbox& out) {
    for (std::size_t i = 0; i < transactions.size(); ++i) {
        transaction& t = transactions[i];
        if (t.timetable.what_now(now) == retransmission::step::wait) continue;
        if (t.wire.empty()) return failed_with(take(i), 0, too_large, now);
        if (t.timetable.what_now(now) == retransmission::step::give_up) {
            const transaction ended = take(i);
            return failed_with(ended, 0, ended.tampered ? tampered_with : no_answer, now);
        }
        transmit(t, now, out);
    }
    return std::nullopt;
}

std::optional<client::event> client::state::answered(const stun::message_view& m, time_point now, outbox& out) {
    const auto found = std::ranges::find_if(
        transactions, [&](const transaction& t) { return t.id == m.id() && method_of(t.what) == m.method(); });
    if (found == transactions.end()) return std::nullopt; // late, twice, or made up
    transaction& t = *found;
    const auto index = static_cast<std::size_t>(found - transactions.begin());

    const bool is_error = m.cls() == stun::message_class::error_response;
    const auto error = is_error ? m.get<stun::error_code>() : stun::error_code::value_type{};
    const std::uint16_t code = error ? error->code : std::uint16_t{0};
    if (code == 401 || code == 431 || code == 438) return challenged(index, code, m, now, out);
    if (is_stripped(m)) return std::nullopt; // RFC 8489, 9.2.5

    if (t.with && !m.check_integrity(t.with->key)) {
        t.tampered = true; // discarded "as if it had never been received": RFC 8489, 9.2.5
        // Over a stream no other answer will come.
        if (is_stream(options.via)) return failed_with(take(index), 0, tampered_with, now);
        return std::nullopt;
    }
    const bool wants_credentials = !options.username.empty() && method_of(t.what) != stun::method::binding;
    if (code == 400 && wants_credentials && !m.has_integrity()) return std::nullopt; // RFC 8489, 9.2.5

    std::array<std::uint16_t, 1> unknown{};
    const bool is_readable = m.unknown_required(unknown) == 0;
    if (code == try_alternate && t.with && is_readable) return redirected(index, m, now, out);

    const transaction ended = take(index);
    if (is_error && !error) return failed_with(ended, 0, message(error.error()), now);
    if (!is_readable) return failed_with(ended, 0, unknown_attributes, now); // RFC 8489, 6.3.3
    if (is_error) return failed_with(ended, code, error->phrase, now);
    return named(succeeded(ended, m, now), ended.first_id);
}

/// 401, 431 and 438: retries with what the server told us, or ends the transaction. RFC 8489, 9.2.5.
std::optional<client::event> client::state::challenged(std::size_t index, std::uint16_t code,
                                                       const stun::message_view& m, time_point now, outbox& out) {
    transaction& t = transactions[index];
    const auto realm = m.get<stun::realm>();
    const auto nonce = m.get<stun::nonce>();
    const auto phrase = [&] {
        const auto error = m.get<stun::error_code>();
        return error ? error->phrase : std::string_view();
    };
    if (code == 431 && !(realm && nonce) && !(t.with && m.check_integrity(t.with->key))) {
        t.tampered = true; // anybody could have sent that
        return std::nullopt;
    }
    // After a signed attempt a 401 means that this user and password do not do, unless the realm is another now.
    const bool other_realm = !t.with || (realm && *realm != t.with->realm);
    const bool worth_a_retry = code == 438 ? nonce && (realm || t.with) : code == 401 && other_realm && realm && nonce;
    if (!worth_a_retry || options.username.empty() || t.retries >= max_retries)
        return failed_with(take(index), code, phrase(), now);
    if (const auto why_not = learn(m, other_realm)) return failed_with(take(index), 0, *why_not, now);

    ++t.retries;
    t.with = known;
    if (!prepare(t, now)) return failed_with(take(index), 0, too_large, now);
    transmit(t, now, out);
    return std::nullopt;
}

/// Takes REALM, NONCE, the key's algorithm and whether to hide the user's name for all that follows; or says why a
/// retry must not be. RFC 8489, 9.2.5.
std::optional<std::string_view> client::state::learn(const stun::message_view& challenge, bool new_realm) {
    const auto nonce = challenge.get<stun::nonce>();
    const auto realm = challenge.get<stun::realm>();
    const auto offered = challenge.get<stun::password_algorithms>();
    if (is_stripped(challenge)) return stripped;
    if (!offered && offered.error() != errc::missing_attribute) return no_algorithm;
    const auto algorithm = offered ? choose(*offered) : stun::password_algorithm_number::md5;
    if (!algorithm) return no_algorithm;

    session next;
    next.realm = known && !(new_realm && realm) ? known->realm : std::string(realm.value_or(""));
    if (next.realm.empty()) return unusable_credentials;
    next.nonce = *nonce;
    next.algorithm = *algorithm;
    if (offered) next.algorithms = written(*offered);
    if (offered && next.algorithms.empty()) return no_algorithm;
    const auto features = stun::features_of(*nonce);
    if (features && features->username_anonymity) {
        const auto hash = stun::hash_username(options.username, next.realm);
        if (!hash) return unusable_credentials;
        next.userhash = *hash;
    }
    if (known && known->realm == next.realm && known->algorithm == next.algorithm) {
        next.key = known->key;
    } else {
        const auto key = stun::long_term_key(next.algorithm, options.username, next.realm, options.password);
        if (!key) return unusable_credentials;
        next.key = *key;
    }
    known = std::move(next);
    return std::nullopt;
}

client::state::transaction client::state::take(std::size_t index) {
    transaction taken = std::move(transactions[index]);
    transactions.erase(transactions.begin() + static_cast<std::ptrdiff_t>(index));
    if (transactions.empty()) transactions.shrink_to_fit(); // an idle client is a small client
    return taken;
}

} // namespace turn
