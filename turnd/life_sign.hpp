#pragma once
/// Feeds systemd's watchdog as long as every thread that relays does what it is asked.

#include "log.hpp"
#include "service_manager.hpp"
#include "turn/server.hpp"

namespace turnd {

class life_sign {
public:
    /// All of it outlives this.
    life_sign(turn::server& server, const service_manager& manager, logger& to)
        : server_(server), manager_(manager), log_(to) {}

    void give();

private:
    turn::server& server_;
    const service_manager& manager_;
    logger& log_;
    bool was_alive_ = true;
};

} // namespace turnd
