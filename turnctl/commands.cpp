/// turnctl kick, drain, reload and log-level: what a running turnd is told to do.

#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "admin_target.hpp"
#include "turnctl/api.hpp"
#include "turnctl/verb.hpp"
#include "turnctl/words.hpp"

namespace turnctl {
namespace {

using json = nlohmann::ordered_json;

struct kick_options {
    api_flags api{};
    std::string what{}, whom{}, realm{};
};

struct level_options {
    api_flags api{};
    std::string level{};
};

std::string kicked(const json& answer) {
    const auto relays = answer.at("kicked").get<std::uint64_t>();
    return fmt::format("{} relay{} ended\n", relays, relays == 1 ? "" : "s");
}

std::string draining(const json& answer) {
    return fmt::format("draining: no new relays; {} are left, and then turnd ends\n",
                       answer.at("numAllocations").get<std::uint64_t>());
}

std::string target_of(const kick_options& o) {
    std::string target = fmt::format("/api/v1/kick?{}={}", o.what, turnd::percent_encode(o.whom));
    if (!o.realm.empty()) target += "&realm=" + turnd::percent_encode(o.realm);
    return target;
}

std::string reloaded(const json& answer) {
    std::string text;
    for (const auto& c : answer.at("changes"))
        text += fmt::format("{}: {} -> {}{}\n", shown(c.at("key")), shown(c.at("from")), shown(c.at("to")),
                            c.at("needsRestart").get<bool>() ? "  (needs a restart; not done)" : "");
    for (const auto& w : answer.at("warnings")) text += "warning: " + shown(w) + "\n";
    return text.empty() ? "nothing has changed\n" : text;
}

std::string levelled(const json& answer) {
    return fmt::format("the log's level is {} until the next reload changes it\n", shown(answer.at("level")));
}

} // namespace

verb add_kick(CLI::App& app) {
    CLI::App* command = app.add_subcommand("kick", "End a relay, or all relays of a user");
    const auto o = std::make_shared<kick_options>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, o->api);
    command->add_option("WHAT", o->what, "relay or user")->required()->check(CLI::IsMember({"relay", "user"}));
    command->add_option("WHOM", o->whom, "The id of the relay, or the user's name")->required();
    command->add_option("--realm", o->realm, "The user of this realm; without it: of any")->type_name("NAME");
    return {command, [o](console& to) { return ask_and_show(o->api, "POST", target_of(*o), to, kicked); }};
}

verb add_drain(CLI::App& app) {
    CLI::App* command = app.add_subcommand("drain", "No new relays; turnd ends when the old ones have, as by SIGTERM");
    const auto flags = std::make_shared<api_flags>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, *flags);
    return {command, [flags](console& to) { return ask_and_show(*flags, "POST", "/api/v1/drain", to, draining); }};
}

verb add_reload(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("reload", "Read the configuration again; what is wrong with it changes nothing");
    const auto flags = std::make_shared<api_flags>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, *flags);
    return {command, [flags](console& to) { return ask_and_show(*flags, "POST", "/api/v1/reload", to, reloaded); }};
}

verb add_log_level(CLI::App& app) {
    CLI::App* command = app.add_subcommand("log-level", "Write more or less into the log");
    const auto o = std::make_shared<level_options>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, o->api);
    command->add_option("LEVEL", o->level, "debug, info, warning or error")
        ->required()
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
    return {command, [o](console& to) {
                return ask_and_show(o->api, "POST", "/api/v1/log-level?level=" + turnd::percent_encode(o->level), to,
                                    levelled);
            }};
}

} // namespace turnctl
