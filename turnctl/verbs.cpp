#include "turnctl/verb.hpp"

namespace turnctl {

std::vector<verb> add_verbs(CLI::App& app) {
    return {
        add_credential(app),
        add_check(app),
        add_user(app),
    };
}

} // namespace turnctl
