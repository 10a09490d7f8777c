#pragma once
/// The HTTP service of a running turnd, asked through its unix socket.

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "turn/result.hpp"
#include "turnctl/verb.hpp"

namespace turnctl {

inline constexpr const char* default_socket = "/run/turnd/turnd.sock";

struct api_answer {
    int status = 0; ///< of HTTP
    nlohmann::ordered_json body{};
};

/// One request and its answer, within ten seconds. The error says why nobody answered, and what to do.
turn::result<api_answer, std::string> ask_turnd(const std::string& socket, std::string_view method,
                                                std::string_view target);

/// The flags of every verb that asks a turnd.
struct api_flags {
    std::string socket = default_socket;
    bool json = false;
};
void add_api_flags(CLI::App&, api_flags&);

/// Asks, and prints the JSON, or what `show` makes of it for people, or why turnd refused. Returns an exit status.
int ask_and_show(const api_flags&, std::string_view method, std::string_view target, console&,
                 const std::function<std::string(const nlohmann::ordered_json&)>& show);

} // namespace turnctl
