#include "support/model.hpp"

#include <algorithm>

#include "turn/channel_data.hpp"

namespace turn::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t sweep_unanswered_above = 4096;
constexpr auto longest_wait_for_an_answer = 60s;
/// Above this a Data indication may not fit into one datagram; then either outcome is right.
constexpr std::size_t surely_fits = 65'000;

[[noreturn]] void broken(const std::string& what) {
    throw invariant_violation("model: " + what);
}

} // namespace

void model::request_arrived(const transport_address& server, const transport_address& client, bytes datagram,
                            time_point now) {
    const auto request = stun::message_view::parse(datagram);
    if (!request || request->cls() != stun::message_class::request) return;
    asked_[{{client, server}, request->id()}] = {to_blob(datagram), now};
    if (asked_.size() > sweep_unanswered_above)
        std::erase_if(asked_, [&](const auto& a) { return now - a.second.when > longest_wait_for_an_answer; });
}

void model::left_for_client(const transport_address& server, const transport_address& client, bytes whole,
                            direction way, time_point now) {
    const five_tuple tuple{client, server};
    if (way == direction::control) {
        const auto answer = stun::message_view::parse(whole);
        if (!answer) broken("an answer to " + client.to_string() + " is not well-formed");
        if (answer->method() == stun::method::data) return icmp_told(tuple, *answer, now);
        const auto question = asked_.find({tuple, answer->id()});
        if (question == asked_.end()) broken("an answer to " + client.to_string() + " that nobody asked for");
        const auto request = stun::message_view::parse(question->second.request);
        if (request->method() != answer->method()) broken("an answer of another method");
        if (answer->cls() == stun::message_class::success_response) succeeded(tuple, *request, *answer, now);
        return;
    }

    const auto found = allocations_.find(tuple);
    if (found == allocations_.end()) broken("data for " + client.to_string() + ", which has no allocation");
    if (const auto data = channel_data::parse(whole)) {
        const auto channel = found->second.channels.find(data->number);
        if (channel == found->second.channels.end() || channel->second.expires <= now)
            broken("ChannelData for " + client.to_string() + " on a channel that is not bound");
        if (!found->second.permits(channel->second.peer, now))
            broken("ChannelData from " + channel->second.peer.to_string() + " without a permission");
        return;
    }
    const auto indication = stun::message_view::parse(whole);
    if (!indication || indication->method() != stun::method::data ||
        indication->cls() != stun::message_class::indication)
        broken("what went down to " + client.to_string() + " is neither ChannelData nor a Data indication");
    const auto peer = indication->get<stun::xor_peer_address>();
    if (!peer || !indication->has<stun::data>()) broken("a Data indication without its peer or its data");
    if (!found->second.permits(*peer, now)) broken("data from " + peer->to_string() + " without a permission");
    for (const auto& [number, channel] : found->second.channels)
        if (channel.peer == *peer && channel.expires > now)
            broken("a Data indication from " + peer->to_string() + " though a channel is bound"); // RFC 8656, 11.3
}

/// RFC 8656, 11.5: whether a channel is bound does not matter.
void model::icmp_told(const five_tuple& tuple, const stun::message_view& indication, time_point now) const {
    const auto found = allocations_.find(tuple);
    const auto peer = indication.get<stun::xor_peer_address>();
    if (indication.cls() != stun::message_class::indication || !peer || !indication.has<stun::icmp>() ||
        indication.has<stun::data>())
        broken("what was told to " + tuple.client.to_string() + " is no Data indication with ICMP");
    if (found == allocations_.end() || !found->second.permits(*peer, now))
        broken("ICMP about " + peer->to_string() + " without a permission");
}

void model::left_for_peer(const transport_address& from, const transport_address& peer, time_point now) const {
    const allocation* a = owner_of(from, now);
    if (a == nullptr) broken("data for " + peer.to_string() + " from a relayed address of nobody");
    if (from.family != peer.family) broken("data for " + peer.to_string() + " from a socket of another family");
    if (a->permits(peer, now)) return;
    for (const auto& [number, channel] : a->channels)
        if (channel.peer == peer && channel.expires > now) return;
    broken("data for " + peer.to_string() + " with neither permission nor channel");
}

void model::judge_peers_again(const peer_policy& policy) {
    for (auto& [tuple, a] : allocations_) {
        std::erase_if(a.permissions, [&](const auto& p) { return !authorize_peer(policy, p.first, true).allowed; });
        std::erase_if(a.channels, [&](const auto& c) { return !authorize_peer(policy, c.second.peer).allowed; });
    }
}

void model::ended(const transport_address& client, const transport_address& server, allocation_end how,
                  time_point now) {
    const auto found = allocations_.find({client, server});
    if (found == allocations_.end()) broken("an allocation of " + client.to_string() + " ended that never was");
    if (how == allocation_end::expired)
        for (const auto& r : found->second.relayed)
            if (r.expires > now) broken("the allocation of " + client.to_string() + " expired too early");
    remove(found);
}

bool model::must_go_up(const transport_address& server, const transport_address& client, bytes datagram,
                       time_point now) const {
    const auto found = allocations_.find({client, server});
    const auto data = channel_data::parse(datagram);
    if (found == allocations_.end() || !data || data->payload.size() > surely_fits) return false;
    const auto channel = found->second.channels.find(data->number);
    return channel != found->second.channels.end() && channel->second.expires > now &&
           found->second.relays(channel->second.peer.family, now);
}

bool model::must_go_down(const transport_address& relayed, const transport_address& peer, bytes payload,
                         time_point now) const {
    const allocation* a = owner_of(relayed, now);
    return a != nullptr && payload.size() <= surely_fits && a->permits(peer, now) && a->relays(peer.family, now);
}

void model::forget_expired(time_point now) {
    for (auto& [tuple, a] : allocations_) a.forget_expired(tuple.client, now);
}

std::size_t model::permissions() const {
    std::size_t sum = 0;
    for (const auto& [tuple, a] : allocations_) sum += a.permissions.size();
    return sum;
}

std::size_t model::channels() const {
    std::size_t sum = 0;
    for (const auto& [tuple, a] : allocations_) sum += a.channels.size();
    return sum;
}

std::set<transport_address, address_order> model::relayed() const {
    std::set<transport_address, address_order> all;
    for (const auto& [tuple, a] : allocations_)
        for (const auto& r : a.relayed) all.insert(r.address);
    return all;
}

bool model::allocation::permits(const transport_address& peer, time_point now) const {
    const auto found = permissions.find(peer.with_port(0));
    return found != permissions.end() && found->second > now;
}

bool model::allocation::relays(address_family family, time_point now) const {
    return std::ranges::any_of(relayed, [&](const auto& r) { return r.address.family == family && r.expires > now; });
}

void model::allocation::forget_expired(const transport_address& client, time_point now) {
    std::erase_if(permissions, [&](const auto& p) { return p.second <= now; });
    std::erase_if(channels, [&](const auto& c) { return c.second.expires <= now; });
    for (std::size_t i = 0; i < relayed.size();) {
        if (relayed[i].expires > now) {
            ++i;
        } else if (relayed.size() == 1) {
            broken("the allocation of " + client.to_string() + " outlives its expiry");
        } else {
            forget(relayed[i].address.family);
        }
    }
}

void model::allocation::forget(address_family family) {
    std::erase_if(relayed, [&](const auto& r) { return r.address.family == family; });
    std::erase_if(permissions, [&](const auto& p) { return p.first.family == family; });
    std::erase_if(channels, [&](const auto& c) { return c.second.peer.family == family; });
}

void model::succeeded(const five_tuple& tuple, const stun::message_view& request, const stun::message_view& answer,
                      time_point now) {
    if (request.method() == stun::method::binding) return;
    if (const auto known = allocations_.find(tuple); known != allocations_.end())
        known->second.forget_expired(tuple.client, now);
    if (request.method() == stun::method::allocate) return allocated(tuple, answer, now);
    if (request.method() == stun::method::refresh) return refreshed(tuple, request, answer, now);

    const auto found = allocations_.find(tuple);
    if (found == allocations_.end()) broken("success for " + tuple.client.to_string() + ", which has no allocation");
    allocation& a = found->second;
    request.for_each<stun::xor_peer_address>([&](const auto& peer) {
        if (!peer) broken("success though a peer address is malformed");
        if (std::ranges::none_of(a.relayed, [&](const auto& r) { return r.address.family == peer->family; }))
            broken("a peer of a family that is not relayed");
        a.permissions[peer->with_port(0)] = now + permission_lifetime_;
        return request.method() == stun::method::create_permission; // ChannelBind has one peer: the first
    });
    if (request.method() != stun::method::channel_bind) return;
    const auto number = request.get<stun::channel_number>();
    const auto peer = request.get<stun::xor_peer_address>();
    if (!number || !peer) broken("a ChannelBind without number or peer succeeded");
    for (const auto& [other, channel] : a.channels)
        if (channel.expires > now && (other == *number) != (channel.peer == *peer))
            broken("a channel is bound twice"); // RFC 8656, 12.2
    a.channels[*number] = {*peer, now + channel_lifetime_};
}

void model::allocated(const five_tuple& tuple, const stun::message_view& answer, time_point now) {
    const auto lifetime = answer.get<stun::lifetime>();
    if (!lifetime) broken("an Allocate success without LIFETIME");
    allocation made{.created_by = answer.id()};
    answer.for_each<stun::xor_relayed_address>([&](const auto& address) {
        if (!address) broken("a malformed XOR-RELAYED-ADDRESS");
        made.relayed.push_back({*address, now + *lifetime});
        return true;
    });
    if (made.relayed.empty()) broken("an Allocate success without XOR-RELAYED-ADDRESS");

    const auto before = allocations_.find(tuple);
    if (before != allocations_.end()) {
        if (before->second.created_by != answer.id()) broken("a second allocation on one 5-tuple");
        return; // the answer to a retransmission; RFC 8656, 7.2
    }
    for (const auto& r : made.relayed)
        if (owner_of(r.address, now) != nullptr) broken(r.address.to_string() + " was given to two clients");
    allocations_.emplace(tuple, std::move(made));
    index(tuple);
}

void model::refreshed(const five_tuple& tuple, const stun::message_view& request, const stun::message_view& answer,
                      time_point now) {
    const auto lifetime = answer.get<stun::lifetime>();
    if (!lifetime) broken("a Refresh success without LIFETIME");
    const auto found = allocations_.find(tuple);
    if (found == allocations_.end()) {
        if (*lifetime != 0s) broken("a Refresh without an allocation succeeded");
        return; // it ended with this very request
    }
    const auto family = request.get<stun::requested_address_family>();
    if (*lifetime == 0s) {
        if (!family || found->second.relayed.size() == 1) broken("a Refresh to zero left the allocation alive");
        for (const auto& r : found->second.relayed)
            if (r.address.family == *family) by_relayed_.erase(r.address);
        found->second.forget(*family);
        return;
    }
    for (auto& r : found->second.relayed)
        if (!family || r.address.family == *family) r.expires = now + *lifetime;
}

void model::index(const five_tuple& tuple) {
    for (const auto& r : allocations_.at(tuple).relayed) by_relayed_[r.address] = tuple;
}

void model::remove(std::map<five_tuple, allocation>::iterator where) {
    for (const auto& r : where->second.relayed) by_relayed_.erase(r.address);
    allocations_.erase(where);
}

const model::allocation* model::owner_of(const transport_address& relayed, time_point now) const {
    const auto tuple = by_relayed_.find(relayed);
    if (tuple == by_relayed_.end()) return nullptr;
    const auto found = allocations_.find(tuple->second);
    if (found == allocations_.end()) return nullptr;
    const bool alive = std::ranges::any_of(found->second.relayed,
                                           [&](const auto& r) { return r.address == relayed && r.expires > now; });
    return alive ? &found->second : nullptr;
}

} // namespace turn::test
