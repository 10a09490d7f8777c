#pragma once
/// What turnd's HTTP service answers: health, metrics, status, and the files of the status page. No sockets here.

#include <functional>

#include "admin_message.hpp"
#include "admin_numbers.hpp"

namespace turnd {

/// What the service needs of the world: turn::server in turnd, made-up values in tests. Called on the service's own
/// threads, several at once.
struct admin_world {
    std::function<admin_numbers()> numbers;
    std::function<bool()> draining;
    /// At most so many that fit.
    std::function<std::vector<turn::allocation_report>(const turn::allocation_filter&, std::size_t)> allocations;
    std::function<bool(turn::allocation_id)> end_allocation; ///< false: there is none
    std::function<void(std::string_view realm, std::string_view user)> end_allocations_of;
    std::function<void()> drain; ///< no new allocations, and the end when the old ones have ended; again: nothing more
};

/// Any bytes in, an answer out.
admin_answer answer(const admin_world&, const admin_request&);

} // namespace turnd
