#pragma once
/// What turnd's HTTP service answers: health, metrics, status, and the files of the status page. No sockets here.

#include <functional>

#include "admin_message.hpp"
#include "admin_numbers.hpp"
#include "control.hpp"
#include "why.hpp"

namespace turnd {

/// Of whom is asked: one of the three.
struct why_subject {
    std::optional<std::string> user{};
    std::optional<std::string> realm{}; ///< of the user
    std::optional<turn::transport_address> client{};
    std::optional<turn::allocation_id> relay{};
};

/// What the service needs of the world: turn::server in turnd, made-up values in tests. Called on the service's own
/// threads, several at once.
struct admin_world {
    std::function<admin_numbers()> numbers;
    std::function<bool()> draining;
    /// At most so many that fit.
    std::function<std::vector<turn::allocation_report>(const turn::allocation_filter&, std::size_t)> allocations;
    std::function<bool(turn::allocation_id)> end_allocation; ///< false: there is none
    std::function<void(std::string_view realm, std::string_view user)> end_allocations_of;
    /// What happened to the user, client or relay last. `live`: its relays.
    std::function<why_answer(const why_subject&, std::vector<turn::allocation_report> live)> why;
    std::function<reload_report()> reload;
    std::function<void(log_level)> set_log_level;
    std::function<void()> drain; ///< no new allocations, and the end when the old ones have ended; again: nothing more
};

/// Any bytes in, an answer out.
admin_answer answer(const admin_world&, const admin_request&);

} // namespace turnd
