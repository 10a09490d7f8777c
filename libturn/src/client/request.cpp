#include "client/request.hpp"

#include "turn/stun/attributes.hpp"

namespace turn {
namespace {

struct attribute_writer {
    stun::message_builder& to;

    void operator()(const binding_request&) const noexcept {}
    void operator()(const allocate_request& r) const noexcept {
        to.add<stun::requested_transport>(r.wishes.tcp ? stun::requested_transport::tcp
                                                       : stun::requested_transport::udp);
        if (r.lifetime) to.add<stun::lifetime>(*r.lifetime);
        if (r.wishes.family) to.add<stun::requested_address_family>(*r.wishes.family);
        if (r.wishes.additional_ipv6) to.add<stun::additional_address_family>(address_family::ipv6);
        if (r.wishes.even_port) to.add<stun::even_port>({.reserve_next = *r.wishes.even_port});
        if (r.wishes.token) to.add<stun::reservation_token>(*r.wishes.token);
        if (r.wishes.dont_fragment) to.add<stun::dont_fragment>({});
    }
    void operator()(const refresh_request& r) const noexcept {
        if (r.lifetime) to.add<stun::lifetime>(*r.lifetime);
        if (r.family) to.add<stun::requested_address_family>(*r.family);
    }
    void operator()(const permission_request& r) const noexcept {
        for (const auto& peer : r.peers) to.add<stun::xor_peer_address>(peer);
    }
    void operator()(const channel_request& r) const noexcept {
        to.add<stun::channel_number>(r.number);
        to.add<stun::xor_peer_address>(r.peer);
    }
    void operator()(const connect_request& r) const noexcept { to.add<stun::xor_peer_address>(r.peer); }
    void operator()(const connection_bind_request& r) const noexcept { to.add<stun::connection_id>(r.connection); }
};

/// Who was offered algorithms names the one it took, and signs with SHA-256 from then on.
void sign(stun::message_builder& message, const session& with, const stun::transaction_id& id) noexcept {
    if (with.algorithms.empty()) {
        message.integrity(with.key);
        return;
    }
    if (const auto offered = stun::password_algorithms::decode(with.algorithms, id))
        message.add<stun::password_algorithms>(*offered);
    message.add<stun::password_algorithm>({with.algorithm});
    message.integrity_sha256(with.key);
}

} // namespace

stun::method method_of(const request& r) noexcept {
    static constexpr stun::method in_order[] = {stun::method::binding,        stun::method::allocate,
                                                stun::method::refresh,        stun::method::create_permission,
                                                stun::method::channel_bind,   stun::method::connect,
                                                stun::method::connection_bind};
    static_assert(std::size(in_order) == std::variant_size_v<request>);
    return in_order[r.index()];
}

result<bytes> write(const request& r, const stun::transaction_id& id, const client_options& options,
                    const session* with, std::span<std::byte> out) noexcept {
    stun::message_builder message(out, stun::message_class::request, method_of(r), id);
    std::visit(attribute_writer{message}, r);
    if (!options.software.empty()) message.add<stun::software>(options.software);
    if (with != nullptr) {
        if (with->userhash)
            message.add<stun::userhash>(*with->userhash);
        else
            message.add<stun::username>(options.username);
        message.add<stun::realm>(with->realm);
        message.add<stun::nonce>(with->nonce);
        sign(message, *with, id);
    }
    if (options.fingerprint) message.fingerprint();
    return message.finish();
}

} // namespace turn
