#include "support/actors.hpp"

#include <stdexcept>
#include <variant>

#include "support/actor_states.hpp"
#include "support/world.hpp"
#include "turn/channel_data.hpp"

namespace turn::test {
namespace {

using namespace std::chrono_literals;

/// Longer than all retransmissions of one transaction, twice: RFC 8489, 6.2.1.
constexpr auto patience_of_a_client = 120s;

bytes as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

} // namespace

void peer_actor::send(const transport_address& to, std::string_view text) {
    send(to, as_bytes(text));
}

void peer_actor::send(const transport_address& to, bytes data) {
    world_->send({address, to, to_blob(data), false});
    world_->settle();
}

void peer_actor::arrived(const flight& f) {
    ++count;
    if (remember) {
        received.push_back(to_text(f.data));
        senders.push_back(f.from);
        arrived_dont_fragment.push_back(f.dont_fragment);
    }
    if (echoes_) world_->send({address, f.from, f.data, false});
}

// What every client hears beside answers.

void inbox::arrived(const flight& f) {
    if (const auto data = channel_data::parse(f.data)) {
        channels[data->number].push_back(to_text(data->payload));
        return;
    }
    const auto message = stun::message_view::parse(f.data);
    if (!message || message->cls() != stun::message_class::indication || message->method() != stun::method::data)
        return;
    const auto peer = message->get<stun::xor_peer_address>();
    const auto data = message->get<stun::data>();
    if (peer && data) indications[*peer].push_back(to_text(*data));
}

std::vector<std::string> inbox::on_channel(std::uint16_t number) const {
    const auto found = channels.find(number);
    return found == channels.end() ? std::vector<std::string>{} : found->second;
}

std::vector<std::string> inbox::from_peer(const transport_address& peer) const {
    const auto found = indications.find(peer);
    return found == indications.end() ? std::vector<std::string>{} : found->second;
}

// turn::client in a world.

client_actor::state::state(world& w, const transport_address& where, client_options options)
    : endpoint(where), world_(&w), core(std::move(options)) {
    w.join(*this);
}

void client_actor::state::arrived(const flight& f) {
    if (f.from != core.server()) return;
    heard.arrived(f);
    if (const auto event = core.handle(f.data, world_->now(), out)) happened(*event);
    flush();
}

void client_actor::state::tick() {
    while (const auto event = core.tick(world_->now(), out)) happened(*event);
    flush();
}

void client_actor::state::flush() {
    for (const datagram& d : out.datagrams()) {
        blob whole = to_blob(d.head);
        whole.insert(whole.end(), d.body.begin(), d.body.end());
        whole.resize(whole.size() + d.pad);
        world_->send({address, d.to, std::move(whole), d.dont_fragment});
    }
    out.clear();
}

int client_actor::state::outcome(stun::method method, const stun::transaction_id& id) {
    awaited_ = {method, id};
    result_.reset();
    flush();
    world_->run_until([this] { return result_.has_value(); }, patience_of_a_client);
    awaited_.reset();
    return result_.value_or(-1);
}

void client_actor::state::happened(const client::event& event) {
    if (const auto* failure = std::get_if<client::failed>(&event)) {
        const int code = failure->code == 0 ? -1 : failure->code;
        if (awaited_ && awaited_->method == failure->method && awaited_->id == failure->id) {
            result_ = code;
        } else {
            failures.push_back(code);
        }
        return;
    }
    std::optional<stun::method> method;
    if (const auto* m = std::get_if<client::mapped>(&event)) {
        method = stun::method::binding;
        mapped = m->address;
    } else if (const auto* a = std::get_if<client::allocated>(&event)) {
        method = stun::method::allocate;
        last_allocated = *a;
    } else if (std::holds_alternative<client::refreshed>(event)) {
        method = stun::method::refresh;
    } else if (std::holds_alternative<client::permitted>(event)) {
        method = stun::method::create_permission;
    } else if (std::holds_alternative<client::channel_bound>(event)) {
        method = stun::method::channel_bind;
    }
    if (method && awaited_ && awaited_->method == *method) result_ = 0;
}

const transport_address& client_actor::address() const {
    return state_->address;
}

int client_actor::bind() {
    const int code = state_->outcome(stun::method::binding, core().bind(state_->now(), out()));
    if (code == 0) mapped = state_->mapped;
    return code;
}

int client_actor::allocate(const allocate_wishes& wishes) {
    const int code = state_->outcome(stun::method::allocate, core().allocate(wishes, state_->now(), out()));
    if (code != 0) return code;
    relayed = state_->last_allocated.relayed;
    relayed_additional = state_->last_allocated.relayed_additional;
    mapped = state_->last_allocated.mapped;
    return 0;
}

int client_actor::refresh(std::chrono::seconds lifetime, std::optional<address_family> family) {
    return state_->outcome(stun::method::refresh, core().refresh(lifetime, family, state_->now(), out()));
}

int client_actor::permit(std::initializer_list<transport_address> peers) {
    const std::vector<transport_address> list(peers);
    return state_->outcome(stun::method::create_permission, core().permit(list, state_->now(), out()));
}

int client_actor::permit(const peer_actor& peer) {
    return permit({peer.address});
}

int client_actor::bind_channel(std::uint16_t number, const peer_actor& peer) {
    return bind_channel(number, peer.address);
}

int client_actor::bind_channel(std::uint16_t number, const transport_address& peer) {
    return state_->outcome(stun::method::channel_bind, core().bind_channel(number, peer, state_->now(), out()));
}

void client_actor::send(const peer_actor& peer, std::string_view text) {
    if (!core().send(peer.address, as_bytes(text), out())) throw std::logic_error("send() without an allocation");
    state_->flush_and_settle();
}

void client_actor::send_indication(const peer_actor& peer, std::string_view text, bool dont_fragment) {
    if (!core().send_indication(peer.address, as_bytes(text), dont_fragment, out()))
        throw std::logic_error("send_indication() without an allocation");
    state_->flush_and_settle();
}

void client_actor::send_channel_data(std::uint16_t number, std::string_view text) {
    state_->send(channel_data_message(number, as_bytes(text)));
}

std::vector<std::string> client_actor::channel_data(std::uint16_t number) const {
    return state_->heard.on_channel(number);
}

std::vector<std::string> client_actor::data_from(const peer_actor& peer) const {
    return state_->heard.from_peer(peer.address);
}

const client::allocated& client_actor::last_allocated() const {
    return state_->last_allocated;
}

const std::vector<int>& client_actor::failures() const {
    return state_->failures;
}

turn::client& client_actor::core() const {
    return state_->core;
}

outbox& client_actor::out() const {
    return state_->out;
}

void client_actor::flush() const {
    state_->flush_and_settle();
}

} // namespace turn::test
