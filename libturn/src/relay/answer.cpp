/// The only place that writes answers, so that no handler can forget REALM and NONCE or the signature.

#include "base/crypto.hpp"
#include "relay/state.hpp"
#include "stun/reason_phrase.hpp"

namespace turn {

namespace {

constexpr bool is_challenge(std::uint16_t code) noexcept {
    return code == 401 || code == 431 || code == 438;
}

request_method books_method(stun::method m) noexcept {
    switch (m) {
    case stun::method::allocate:
        return request_method::allocate;
    case stun::method::refresh:
        return request_method::refresh;
    case stun::method::create_permission:
        return request_method::create_permission;
    case stun::method::channel_bind:
        return request_method::channel_bind;
    case stun::method::connect:
        return request_method::connect;
    case stun::method::connection_bind:
        return request_method::connection_bind;
    default:
        return request_method::binding;
    }
}

/// What IP and UDP add to a payload, for the amplification rules.
std::size_t header_bytes(const transport_address& a) noexcept {
    return a.is_ipv4() ? 28 : 48;
}

/// Of an attribute with a value of `length` bytes, padding included.
constexpr std::size_t attribute_size(std::size_t length) noexcept {
    return 4 + (length + 3) / 4 * 4;
}

/// RFC 8489, 10. The domain is for whoever meets the other server's certificate and is sure to understand it.
void add_alternate(stun::message_builder& b, const alternate_server& other, const request& r,
                   transport protocol) noexcept {
    b.add<stun::alternate_server>(other.address);
    if (other.other_family) b.add<stun::alternate_server>(*other.other_family);
    const bool has_certificate = protocol != transport::udp && protocol != transport::tcp;
    if (has_certificate && r.message.has_integrity_sha256() && !other.domain.empty())
        b.add<stun::alternate_domain>(other.domain);
}

/// Attributes a successful answer has, in the order of RFC 8656, 7.2.
void add_content(stun::message_builder& b, const reply& content) noexcept {
    for (std::size_t i = 0; i < content.relayed_count; ++i) b.add<stun::xor_relayed_address>(content.relayed[i]);
    if (content.address_error) b.add<stun::address_error_code>(*content.address_error);
    if (content.lifetime) b.add<stun::lifetime>(*content.lifetime);
    if (content.reservation) b.add<stun::reservation_token>(*content.reservation);
    if (content.connection) b.add<stun::connection_id>(*content.connection);
    if (content.mapped) b.add<stun::xor_mapped_address>(*content.mapped);
}

} // namespace

outcome bad_request(reason why) noexcept {
    return {.code = 400, .why = why};
}
outcome bad_request(errc error) noexcept {
    return bad_request(error == errc::missing_attribute ? reason::missing_attribute : reason::bad_attribute);
}
outcome insufficient_capacity(reason why) noexcept {
    return {.code = 508, .why = why};
}
stun::password_algorithms::value_type offered_algorithms() noexcept {
    return {.list = {{{stun::password_algorithm_number::sha256}, {stun::password_algorithm_number::md5}}}, .count = 2};
}

void relay::state::answer(const request& r, const outcome& o, const reply& content, outbox& out) {
    const bool challenge = is_challenge(o.code);
    const bool sign = r.key.size != 0 && !challenge;
    const std::string_view realm = listeners_[r.listener].realm;
    const std::size_t headers = header_bytes(r.tuple.client);
    const std::size_t trailer = r.message.has_fingerprint() ? attribute_size(4) : 0;

    // An unproven source gets at most three times what it sent. What an answer can do without are its words.
    const std::size_t allowed = 3 * (r.message.raw().size() + headers);
    const auto fits = [&](std::size_t size) { return r.proven || headers + size + trailer <= allowed; };
    const std::size_t challenge_size = stun::header_size + attribute_size(4) + attribute_size(realm.size()) +
                                       attribute_size(stun::nonce_issuer::text_size) +
                                       (options_.password_algorithms ? attribute_size(8) : 0);
    const bool wordless = challenge && !fits(challenge_size + stun::reason_phrase(o.code).size() + 3);

    const std::span<std::byte> room = out.scratch(outbox::largest_answer);
    stun::message_builder b(room,
                            o.code == 0 ? stun::message_class::success_response : stun::message_class::error_response,
                            r.message.method(), r.message.id());
    if (o.code == 0) {
        add_content(b, content);
    } else {
        b.add<stun::error_code>({o.code, wordless ? std::string_view() : stun::reason_phrase(o.code)});
        if (o.code == 420) b.add<stun::unknown_attributes>(content.unknown);
        if (content.alternate) add_alternate(b, *content.alternate, r, listeners_[r.listener].protocol);
    }
    if (challenge) {
        const auto nonce = nonces_.issue(r.tuple.client, r.now, crypto::random64());
        b.add<stun::realm>(realm);
        b.add<stun::nonce>(std::string_view(nonce.data(), nonce.size()));
        if (options_.password_algorithms) b.add<stun::password_algorithms>(offered_algorithms());
    }
    if (!options_.software.empty() && fits(b.size() + attribute_size(options_.software.size())))
        b.add<stun::software>(options_.software);
    if (sign && r.names_algorithm) b.integrity_sha256(r.key);
    if (sign && !r.names_algorithm) b.integrity(r.key);
    if (r.message.has_fingerprint()) b.fingerprint();

    const auto message = b.finish();
    assert(message); // every attribute above is bounded: add_listener() and the options' checks see to it
    out.return_scratch(room.size() - message->size());
    if (!r.proven && !budget_.spend(r.tuple.client, message->size() + headers, r.now)) {
        out.return_scratch(message->size());
        return drop(direction::up, reason::rate_limited);
    }
    const auto result = o.code == 0                        ? request_result::success
                        : o.why == reason::first_challenge ? request_result::challenged
                                                           : request_result::refused;
    ++books_.requests[static_cast<std::size_t>(books_method(r.message.method()))][static_cast<std::size_t>(result)];
    if (r.message.method() == stun::method::allocate)
        ++books_.allocates[transport_of(r.listener)][static_cast<std::size_t>(result)];
    if (o.code != 0) ++books_.refused[static_cast<std::size_t>(o.why)];
    if (r.slot != request::no_slot) {
        allocation_books& own = allocations_[r.slot].books;
        if (o.code == 0)
            ++own.requests[static_cast<std::size_t>(books_method(r.message.method()))];
        else
            own.refused.add(o.why);
    }
    out.send({.via = r.tuple.via, .to = r.tuple.client, .body = *message, .way = direction::control});

    if (o.code != 0 && services_.events != nullptr)
        services_.events->request_refused(
            {.client = r.tuple.client,
             .method = r.message.method(),
             .code = o.code,
             .why = o.why,
             .username = r.username,
             .realm = realm,
             .peer = o.peer,
             .rule = o.rule,
             .expired_for = o.expired_for,
             .allocation = r.slot == request::no_slot ? allocation_id{} : allocations_[r.slot].id,
             .authenticated = r.key.size != 0});
}

} // namespace turn
