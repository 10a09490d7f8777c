#include "turnctl/verb.hpp"

namespace turnctl {

std::vector<verb> add_verbs(CLI::App& app) {
    return {
        add_status(app), add_relays(app),    add_relay(app), add_why(app),        add_kick(app),  add_drain(app),
        add_reload(app), add_log_level(app), add_user(app),  add_credential(app), add_check(app),
    };
}

} // namespace turnctl
