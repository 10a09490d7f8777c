#pragma once
/// What an allocation counts beside what it relays: its requests, and every "no" it met. Fixed memory.

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "turn/counters.hpp"
#include "turn/packet.hpp"
#include "turn/reason.hpp"

namespace turn {

/// A counter for each of a few reasons.
template <reason... Reasons>
class reason_tally {
public:
    /// False, and nothing counted, when `why` is none of them.
    bool add(reason why) noexcept {
        const std::size_t place = places[static_cast<std::size_t>(why)];
        if (place >= counts_.size()) return false;
        ++counts_[place];
        return true;
    }
    /// 0 for a reason that is not among them.
    [[nodiscard]] std::uint32_t of(reason why) const noexcept {
        const std::size_t place = places[static_cast<std::size_t>(why)];
        return place < counts_.size() ? counts_[place] : 0;
    }
    /// Calls `f(reason, count)` for each reason that was met.
    template <class Function>
    void for_each(Function f) const {
        for (std::size_t i = 0; i < counts_.size(); ++i)
            if (counts_[i] != 0) f(reasons[i], counts_[i]);
    }

private:
    static constexpr std::array reasons{Reasons...};
    static constexpr auto places = [] {
        std::array<std::uint8_t, reason_count> at{};
        at.fill(0xff);
        for (std::size_t i = 0; i < reasons.size(); ++i)
            at[static_cast<std::size_t>(reasons[i])] = static_cast<std::uint8_t>(i);
        return at;
    }();
    std::array<std::uint32_t, sizeof...(Reasons)> counts_{};
};

struct allocation_books {
    /// Answered with success.
    std::array<std::uint32_t, static_cast<std::size_t>(request_method::count_)> requests{};
    /// Requests on the allocation's 5-tuple that were answered with an error.
    reason_tally<reason::first_challenge, reason::unknown_user, reason::bad_password, reason::expired,
                 reason::wrong_realm, reason::stale_nonce, reason::foreign_nonce, reason::wrong_credentials,
                 reason::credential_source_failed, reason::algorithms_altered, reason::missing_attribute,
                 reason::bad_attribute, reason::unknown_attribute, reason::allocation_mismatch, reason::wrong_family,
                 reason::peer_denied, reason::outside_range, reason::channel_in_use, reason::permission_limit,
                 reason::channel_limit, reason::unsupported_transport, reason::connection_exists,
                 reason::connect_failed, reason::connect_timeout, reason::connection_limit, reason::no_descriptors,
                 reason::out_of_memory>
        refused{};
    reason_tally<reason::malformed, reason::fingerprint_mismatch, reason::unknown_method, reason::unexpected_class,
                 reason::truncated_data, reason::no_permission, reason::no_channel, reason::no_data,
                 reason::bad_attribute, reason::unknown_attribute, reason::wrong_family, reason::peer_denied,
                 reason::outside_range, reason::too_big, reason::bandwidth, reason::lookups_full,
                 reason::unsupported_transport, reason::out_of_memory>
        dropped_up{};
    reason_tally<reason::no_permission, reason::too_big, reason::bandwidth> dropped_down{};

    void drop(direction way, reason why) noexcept {
        [[maybe_unused]] const bool counted = way == direction::down ? dropped_down.add(why) : dropped_up.add(why);
        assert(counted);
    }
};

} // namespace turn
