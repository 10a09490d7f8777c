#include <stdexcept>

#include "support/actor_states.hpp"
#include "support/world.hpp"

namespace turn::test {

using stun::message_class;
using stun::method;

void raw_actor::state::arrived(const flight& f) {
    const auto reply = stun::message_view::parse(f.data);
    if (awaited && !found && reply && reply->id() == *awaited && reply->cls() != message_class::indication) {
        found = answer(f.data, f.from);
        return;
    }
    if (!remember) return;
    heard.arrived(f);
    others.push_back(f.data);
}

const transport_address& raw_actor::address() const {
    return state_->address;
}

stun::credential_key raw_actor::key() const {
    const auto key =
        stun::long_term_key(algorithm.value_or(stun::password_algorithm_number::md5), username, realm, password);
    if (!key) throw std::logic_error("these credentials make no key");
    return *key;
}

message raw_actor::request(stun::method m) const {
    return {message_class::request, m, state_->the_world->fresh_id()};
}

message raw_actor::indication(stun::method m) const {
    return {message_class::indication, m, state_->the_world->fresh_id()};
}

message raw_actor::authenticated(stun::method m) {
    if (nonce.empty()) challenge();
    message r = request(m);
    introduce(r);
    return r;
}

void raw_actor::introduce(message& m) const {
    m.credentials(hides_name ? "" : username, realm, nonce, key());
    if (hides_name) m.with<stun::userhash>(*stun::hash_username(username, realm));
    if (algorithm) m.with<stun::password_algorithms>(both_algorithms).with<stun::password_algorithm>({*algorithm});
}

message raw_actor::allocate_request() {
    return authenticated(method::allocate).with<stun::requested_transport>(stun::requested_transport::udp);
}

answer raw_actor::ask(message m, std::chrono::milliseconds patience) {
    if (m.wants_signature()) algorithm ? m.integrity_sha256() : m.integrity();
    state_->awaited = m.id();
    state_->found.reset();
    state_->the_world->send({address(), state_->server, m.raw(), false});
    state_->the_world->run_until([this] { return state_->found.has_value(); }, patience);
    state_->awaited.reset();
    return state_->found.value_or(answer{});
}

answer raw_actor::challenge() {
    const answer a = ask(request(method::allocate).with<stun::requested_transport>(stun::requested_transport::udp));
    if (const auto r = a.get<stun::realm>(); r && realm.empty()) realm = *r;
    if (const auto n = a.get<stun::nonce>()) nonce = *n;
    return a;
}

answer raw_actor::allocate() {
    const answer a = ask(allocate_request());
    if (const auto r = a.get<stun::xor_relayed_address>()) relayed = *r;
    return a;
}

answer raw_actor::refresh(std::chrono::seconds lifetime) {
    return ask(authenticated(method::refresh).with<stun::lifetime>(lifetime));
}

answer raw_actor::permit(std::initializer_list<transport_address> peers) {
    message m = authenticated(method::create_permission);
    for (const auto& p : peers) m.with<stun::xor_peer_address>(p);
    return ask(std::move(m));
}

answer raw_actor::permit(const peer_actor& peer) {
    return permit({peer.address});
}

answer raw_actor::bind_channel(std::uint16_t number, const transport_address& peer) {
    return ask(
        authenticated(method::channel_bind).with<stun::channel_number>(number).with<stun::xor_peer_address>(peer));
}

answer raw_actor::bind_channel(std::uint16_t number, const peer_actor& peer) {
    return bind_channel(number, peer.address);
}

void raw_actor::send(const message& m) {
    send(m.view());
}

void raw_actor::send(bytes datagram) {
    state_->the_world->send({address(), state_->server, to_blob(datagram), false});
    state_->the_world->settle();
}

void raw_actor::send_indication(const transport_address& peer, std::string_view text) {
    send(indication(method::send).with<stun::xor_peer_address>(peer).with<stun::data>(std::as_bytes(std::span(text))));
}

void raw_actor::send_channel_data(std::uint16_t number, std::string_view text, std::size_t padding) {
    send(channel_data_message(number, std::as_bytes(std::span(text)), padding));
}

const std::vector<blob>& raw_actor::received() const {
    return state_->others;
}

std::vector<blob> raw_actor::take() {
    return std::exchange(state_->others, {});
}

std::vector<std::string> raw_actor::channel_data(std::uint16_t number) const {
    return state_->heard.on_channel(number);
}

std::vector<std::string> raw_actor::data_from(const transport_address& peer) const {
    return state_->heard.from_peer(peer);
}

// Where people come from.

namespace {

transport_address numbered(std::string_view base, std::size_t n, std::uint16_t port) {
    transport_address a = *transport_address::parse_ip(base);
    const std::size_t last = a.is_ipv4() ? 3 : 15;
    a.ip[last] = static_cast<std::uint8_t>(n & 0xff);
    a.ip[last - 1] = static_cast<std::uint8_t>(n >> 8 & 0xff);
    return a.with_port(port);
}

} // namespace

transport_address world::address_for(const client_settings& settings) {
    if (settings.address) return *settings.address;
    const std::size_t n = ++addresses_given_;
    const auto port = static_cast<std::uint16_t>(40'000 + n % 1000);
    return numbered(listeners_.at(settings.listener).local.is_ipv4() ? "192.18.0.0" : "2001:db8:c::", n, port);
}

client_actor world::client(std::string_view user, const client_settings& settings) {
    const listener_options& where = listeners_.at(settings.listener);
    if (settings.known && !users.known.contains({where.realm, std::string(user)})) users.add(user, {}, where.realm);
    client_options options{.server = where.local,
                           .username = std::string(user),
                           .password = settings.password.value_or(password_of(user)),
                           .software = settings.software,
                           .fingerprint = settings.fingerprint,
                           .lifetime = settings.lifetime,
                           .keep_alive = settings.keep_alive};
    auto made = std::make_unique<client_actor::state>(*this, address_for(settings), std::move(options));
    client_actor handle(*made);
    owned_.push_back(std::move(made));
    return handle;
}

raw_actor world::raw(std::string_view user, const client_settings& settings) {
    const listener_options& where = listeners_.at(settings.listener);
    if (settings.known && !users.known.contains({where.realm, std::string(user)})) users.add(user, {}, where.realm);
    auto made = std::make_unique<raw_actor::state>(*this, address_for(settings), where.local);
    raw_actor handle(*made);
    handle.username = user;
    handle.password = settings.password.value_or(password_of(user));
    handle.realm = settings.realm.empty() ? where.realm : settings.realm;
    owned_.push_back(std::move(made));
    return handle;
}

peer_actor& world::peer(address_family family) {
    // Addresses that no policy thinks special: the default list of peer_policy lets them through.
    const std::size_t n = ++addresses_given_;
    const auto port = static_cast<std::uint16_t>(5000 + n % 1000);
    return peer(numbered(family == address_family::ipv4 ? "25.0.0.0" : "2a01:5::", n, port));
}

peer_actor& world::peer(const transport_address& where) {
    const auto address =
        where.port != 0 ? where : where.with_port(static_cast<std::uint16_t>(++addresses_given_ + 5000));
    auto made = std::make_unique<peer_actor>(*this, address);
    peer_actor& p = *made;
    owned_.push_back(std::move(made));
    join(p);
    return p;
}

} // namespace turn::test
