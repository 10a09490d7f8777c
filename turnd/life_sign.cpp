#include "life_sign.hpp"

#include <fmt/format.h>

namespace turnd {

void life_sign::give() {
    const bool alive = server_.alive();
    if (alive) manager_.alive(fmt::format("{} allocations", server_.allocation_count()));
    if (alive != was_alive_)
        log_.write(alive ? log_level::info : log_level::error,
                   alive ? "every thread answers again"
                         : "a thread that relays does not answer; the watchdog is told no more that all is well");
    was_alive_ = alive;
}

} // namespace turnd
