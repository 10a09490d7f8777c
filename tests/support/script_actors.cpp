#include "support/script_actors.hpp"

#include <algorithm>

#include "turn/channel_data.hpp"

namespace turn::test {
namespace {

constexpr std::size_t remembered_peers = 16;

std::byte byte_at(std::uint32_t serial, std::size_t i) {
    return std::byte((serial * 2654435761U + i * 40503U) >> 7 & 0xff);
}

/// Errors that only a client with the right key can meet, and that must be signed therefore.
bool comes_after_authentication(int code) {
    switch (code) {
    case 403:
    case 420:
    case 437:
    case 440:
    case 441:
    case 442:
    case 443:
    case 486:
    case 508:
        return true;
    default:
        return code == 0;
    }
}

} // namespace

blob checkable_payload(std::uint32_t serial, std::size_t size) {
    blob p(size);
    for (std::size_t i = 0; i < size; ++i)
        p[i] = i < 4 ? std::byte(serial >> (24 - 8 * i) & 0xff) : byte_at(serial, i + size);
    return p;
}

void check_payload(bytes p) {
    if (p.size() < 4) return;
    std::uint32_t serial = 0;
    for (std::size_t i = 0; i < 4; ++i) serial = serial << 8 | std::to_integer<std::uint32_t>(p[i]);
    for (std::size_t i = 4; i < p.size(); ++i)
        if (p[i] != byte_at(serial, i + p.size())) throw invariant_violation("a payload arrived that nobody sent");
}

void script_client::remember(asked a) {
    recent_[count_++ % recent_.size()] = std::move(a);
}

void script_client::arrived(const flight& f) {
    if (const auto data = channel_data::parse(f.data)) return check_payload(data->payload);
    const auto m = stun::message_view::parse(f.data);
    if (!m) throw invariant_violation("a client got a message that is not well-formed");
    if (m->cls() == stun::message_class::indication) {
        if (const auto data = m->get<stun::data>()) check_payload(*data);
        return;
    }
    // The method counts too: a spoilt transaction id may be that of another question.
    const auto question =
        std::ranges::find_if(recent_, [&](const asked& a) { return a.id == m->id() && a.method == m->method(); });
    if (question != recent_.end()) answered(*m, *question);
}

void script_client::answered(const stun::message_view& m, const asked& question) {
    const auto error = m.get<stun::error_code>();
    const int code = m.cls() == stun::message_class::success_response ? 0 : error ? error->code : -2;
    if (const auto fresh = m.get<stun::nonce>()) nonce = *fresh;
    if ((code == 401 || code == 431 || code == 438) && !(m.has<stun::realm>() && m.has<stun::nonce>()))
        throw invariant_violation("a challenge without REALM or NONCE");
    if (question.method == stun::method::binding) return;
    if (comes_after_authentication(code) && !m.check_integrity(question.key))
        throw invariant_violation("an answer with code " + std::to_string(code) + " is not signed with the user's key");

    if (code == 437 && question.method != stun::method::allocate) {
        relayed.clear();
        permitted.clear();
        channels.clear();
    }
    if (code != 0 || question.spoilt) return;
    const auto request = stun::message_view::parse(question.raw);
    switch (question.method) {
    case stun::method::allocate:
        relayed.clear();
        m.for_each<stun::xor_relayed_address>([&](const auto& a) {
            if (a) relayed.push_back(*a);
            return true;
        });
        if (const auto t = m.get<stun::reservation_token>()) token = *t;
        break;
    case stun::method::refresh:
        if (const auto l = m.get<stun::lifetime>();
            l && l->count() == 0 && !request->has<stun::requested_address_family>())
            relayed.clear();
        break;
    case stun::method::create_permission:
    case stun::method::channel_bind:
        request->for_each<stun::xor_peer_address>([&](const auto& p) {
            if (p) permitted.push_back(*p);
            return true;
        });
        if (const auto n = request->get<stun::channel_number>())
            channels.emplace_back(*n, *request->get<stun::xor_peer_address>());
        break;
    default:
        break;
    }
    // Old ones are forgotten, so that what is known mostly still holds.
    if (permitted.size() > remembered_peers) permitted.erase(permitted.begin());
    if (channels.size() > remembered_peers) channels.erase(channels.begin());
}

} // namespace turn::test
