/// turnctl why: what happened to a user, a client or a relay last, and what to do about it.

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

struct options {
    api_flags api{};
    std::string what{}, whom{}, realm{};
};

/// A member's text in front of something, if it is there.
std::string if_there(const json& object, const char* name, std::string_view before) {
    const auto at = object.find(name);
    return at == object.end() ? "" : fmt::format("{}{}", before, shown(*at));
}

std::string in_words(const json& answer) {
    std::string text = fmt::format("{}: {}{}", shown(answer.at("subject")), shown(answer.at("outcome")),
                                   if_there(answer, "reason", ", "));
    if (answer.contains("code")) text += fmt::format(" (answered {})", answer.at("code").get<unsigned>());
    text += if_there(answer, "time", ", last at ") + "\n";
    for (const char* name : {"explanation", "remedy"})
        if (const std::string sentence = shown(answer.at(name)); !sentence.empty()) text += "  " + sentence + "\n";
    const json& events = answer.at("events");
    if (!events.empty()) text += "\n";
    for (const auto& e : events) {
        text += fmt::format("{}  {}", shown(e.at("time")), shown(e.at("text")));
        if (e.contains("times"))
            text += fmt::format("  ({} times since {})", e.at("times").get<std::uint64_t>(), shown(e.at("firstTime")));
        text += "\n";
    }
    for (const auto& r : answer.at("relays"))
        text += fmt::format("relay {} is alive: {}; turnctl relay {} shows it\n", r.at("id").get<std::uint64_t>(),
                            shown(r.at("verdict")), r.at("id").get<std::uint64_t>());
    return text;
}

std::string target_of(const options& o) {
    std::string target = fmt::format("/api/v1/why?{}={}", o.what, turnd::percent_encode(o.whom));
    if (!o.realm.empty()) target += "&realm=" + turnd::percent_encode(o.realm);
    return target;
}

} // namespace

verb add_why(CLI::App& app) {
    CLI::App* command = app.add_subcommand("why", "What happened to a user, a client or a relay last, and the remedy");
    const auto o = std::make_shared<options>(); // of the parser and of run, whichever lives longer
    add_api_flags(*command, o->api);
    command->add_option("WHAT", o->what, "user, client or relay")
        ->required()
        ->check(CLI::IsMember({"user", "client", "relay"}));
    command->add_option("WHOM", o->whom, "The user's name, the client's IP address, the relay's id")->required();
    command->add_option("--realm", o->realm, "The user of this realm; without it: of any")->type_name("NAME");
    return {command, [o](console& to) { return ask_and_show(o->api, "GET", target_of(*o), to, in_words); }};
}

} // namespace turnctl
