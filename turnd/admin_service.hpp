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
};

/// Any bytes in, an answer out.
admin_answer answer(const admin_world&, const admin_request&);

} // namespace turnd
