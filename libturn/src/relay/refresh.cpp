/// Refresh: RFC 8656, 8.2, with deletion by family (8.1).

#include <algorithm>

#include "relay/state.hpp"

namespace turn {

outcome relay::state::refresh(request& r, reply& content, outbox& out) {
    const auto wanted = r.message.get<stun::lifetime>();
    if (!wanted && wanted.error() != errc::missing_attribute) return bad_request(wanted.error());
    const auto family = r.message.get<stun::requested_address_family>();
    if (!family && family.error() != errc::missing_attribute) return bad_request(family.error());

    allocation& a = allocations_[r.slot];
    const auto meant = [&](address_family f) { return a.relays_family(f) && (!family || *family == f); };
    if (!meant(address_family::ipv4) && !meant(address_family::ipv6)) return {.code = 443, .why = reason::wrong_family};

    if (wanted && *wanted == std::chrono::seconds(0)) {
        content.lifetime = std::chrono::seconds(0);
        const bool all = std::all_of(a.relays.begin(), a.relays.end(), [&](const relayed_transport_address& x) {
            return !x.exists() || meant(x.advertised.family);
        });
        if (all) {
            end_allocation(r.slot, allocation_end::refreshed_to_zero, r.now, out);
            r.slot = request::no_slot;
            return success;
        }
        end_family(r.slot, *family, out);
        schedule(r.slot);
        return success;
    }
    content.lifetime = granted_lifetime(wanted ? std::optional(*wanted) : std::nullopt);
    for (const auto f : {address_family::ipv4, address_family::ipv6})
        if (meant(f)) a.relayed(f).expires = r.now + *content.lifetime;
    schedule(r.slot);
    return success;
}

} // namespace turn
