#pragma once
/// What a client believes the server holds for it: permissions and channels. RFC 8656, 9 and 12.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "turn/packet.hpp"
#include "turn/transport_address.hpp"

namespace turn {

/// Small tables in the order of asking: a client talks to a handful of peers, so a scan beats any index.
class peer_table {
public:
    static constexpr std::size_t max_permissions = 512;
    static constexpr std::size_t max_channels = 512;
    static constexpr std::chrono::seconds permission_lifetime{300};      ///< RFC 8656, 9
    static constexpr std::chrono::seconds channel_lifetime{600};         ///< RFC 8656, 12
    static constexpr std::chrono::seconds permission_refresh_after{240}; ///< a minute before it ends
    static constexpr std::chrono::seconds channel_refresh_after{540};    ///< a minute before it ends
    static constexpr std::chrono::seconds retry_after{5};                ///< when a refresh met no answer

    struct permission {
        transport_address peer; ///< port 0
        time_point expires;     ///< max(): asked for, not yet granted
        time_point refresh;     ///< when to ask again; max(): being asked
    };
    struct channel {
        transport_address peer;
        time_point expires; ///< max(): asked for, not yet bound
        time_point refresh; ///< when to bind again; max(): being asked
        std::uint16_t number;

        [[nodiscard]] bool bound() const noexcept { return expires != time_point::max(); }
    };

    [[nodiscard]] bool has_room_for(std::size_t new_permissions, std::size_t new_channels) const noexcept {
        return permissions_.size() + new_permissions <= max_permissions &&
               channels_.size() + new_channels <= max_channels;
    }

    // A request is under way: data may arrive before its answer does.
    void asked_permission(const transport_address& peer);
    void asked_channel(std::uint16_t number, const transport_address& peer);
    // The server said yes.
    void permitted(const transport_address& peer, time_point now);
    void bound(std::uint16_t number, const transport_address& peer, time_point now);
    // The server said no, or nothing. What was granted before lives on until it expires, if it is asked for again in
    // vain at `again` (max(): not asked for again).
    void not_permitted(const transport_address& peer, time_point again);
    void not_bound(std::uint16_t number, const transport_address& peer, time_point again);

    [[nodiscard]] bool may_hear(const transport_address& peer) const noexcept;
    [[nodiscard]] const channel* by_number(std::uint16_t number) const noexcept;
    /// A bound channel to this peer, or null.
    [[nodiscard]] const channel* by_peer(const transport_address& peer) const noexcept;

    /// Peers whose permission is due at `now`, at most `most`; they count as being asked from now on.
    std::vector<transport_address> take_due_permissions(time_point now, std::size_t most);
    /// A channel due at `now`, or null; it counts as being asked from now on.
    const channel* take_due_channel(time_point now);

    void forget_expired(time_point now);
    void forget(address_family);
    void clear() noexcept;
    [[nodiscard]] time_point next_expiry() const noexcept;
    [[nodiscard]] time_point next_refresh() const noexcept;

private:
    permission* find(const transport_address& peer) noexcept;
    channel* find(std::uint16_t number, const transport_address& peer) noexcept;

    std::vector<permission> permissions_{};
    std::vector<channel> channels_{};
};

} // namespace turn
