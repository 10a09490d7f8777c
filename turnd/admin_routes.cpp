#include "admin_routes.hpp"

#include <utility>

#include <fmt/format.h>

#include "admin_parameters.hpp"
#include "admin_relays.hpp"
#include "admin_why.hpp"
#include "json_text.hpp"
#include "printable.hpp"

namespace turnd {
namespace {

constexpr std::size_t most_kicked = 1'000'000; // counted before they end; there are never so many

admin_answer no_such_relay(std::string_view id) {
    return admin_error(404, "no-such-relay", fmt::format("there is no relay {}", printable(id, 60)),
                       "it may have ended; /api/v1/why?relay=ID remembers for a while");
}

admin_answer kick_relay(const admin_world& world, turn::allocation_id id) {
    if (!world.end_allocation(id)) return no_such_relay(std::to_string(static_cast<std::uint64_t>(id)));
    return {.body = json_line({{"kicked", 1}})};
}

/// In every realm where the user has relays.
admin_answer kick_user(const admin_world& world, const std::string& user, const std::string& realm) {
    const auto alive = world.allocations({.user = user, .realm = realm}, most_kicked);
    if (alive.empty())
        return admin_error(404, "no-such-user", fmt::format("the user \"{}\" has no relay", printable(user, 60)),
                           "/api/v1/relays lists those who have");
    for (const auto& relay : alive) world.end_allocations_of(relay.realm, user);
    return {.body = json_line({{"kicked", alive.size()}})};
}

nlohmann::ordered_json problem_json(const problem& p) {
    nlohmann::ordered_json object{{"place", p.where.place}, {"key", p.where.name},    {"value", p.value},
                                  {"what", p.why.what},     {"remedy", p.why.remedy}, {"text", p.to_string()}};
    if (p.where.line != 0) object["line"] = p.where.line;
    return object;
}

admin_answer not_reloaded(const reload_report& report) {
    nlohmann::ordered_json object{{"error", "bad-configuration"},
                                  {"message", "the configuration has problems; nothing has changed"},
                                  {"remedy", "turnd check-config shows them, too"},
                                  {"file", report.file},
                                  {"problems", nlohmann::ordered_json::array()}};
    for (const problem& p : report.problems) object["problems"].push_back(problem_json(p));
    return {.status = 422, .body = json_line(object)};
}

} // namespace

admin_answer list_relays(const admin_world& world, const admin_target& target) {
    auto user = name_of(target, "user"), realm = name_of(target, "realm");
    const auto client = ip_of(target, "client");
    const auto limit = number_of(target, "limit", 1, most_relays_shown);
    if (!user) return user.error();
    if (!realm) return realm.error();
    if (!client) return client.error();
    if (!limit) return limit.error();
    const auto most = static_cast<std::size_t>(limit->value_or(relays_shown));
    return {
        .body = relays_json(
            world.allocations({.user = user->value_or(""), .realm = realm->value_or(""), .client = *client}, most + 1),
            most)};
}

admin_answer show_relay(const admin_world& world, const admin_target& target) {
    const std::string_view text = std::string_view(target.path).substr(relays_path.size() + 1);
    const auto id = relay_id(text);
    if (!id) return no_such_relay(text);
    const auto found = world.allocations({.id = id}, 1);
    if (found.empty()) return no_such_relay(text);
    return {.body = relay_details_json(found.front())};
}

admin_answer kick(const admin_world& world, const admin_target& target) {
    auto user = name_of(target, "user"), realm = name_of(target, "realm");
    const auto relay = relay_of(target, "relay");
    if (!user) return user.error();
    if (!realm) return realm.error();
    if (!relay) return relay.error();
    if (user->has_value() == relay->has_value() || (realm->has_value() && !user->has_value()))
        return admin_error(400, "whom", "either a relay or a user is kicked", "write relay=ID, or user=NAME");
    return *relay ? kick_relay(world, **relay) : kick_user(world, **user, realm->value_or(""));
}

admin_answer tell_why(const admin_world& world, const admin_target& target) {
    auto user = name_of(target, "user"), realm = name_of(target, "realm");
    const auto client = ip_of(target, "client");
    const auto relay = relay_of(target, "relay");
    if (!user) return user.error();
    if (!realm) return realm.error();
    if (!client) return client.error();
    if (!relay) return relay.error();
    if (int{user->has_value()} + int{client->has_value()} + int{relay->has_value()} != 1 ||
        (realm->has_value() && !user->has_value()))
        return admin_error(400, "whom", "one of user, client and relay is needed",
                           "write user=NAME, client=IP or relay=ID");
    auto live = world.allocations(
        {.id = *relay, .user = user->value_or(""), .realm = realm->value_or(""), .client = *client}, relays_shown);
    return {.body = why_json(
                world.why({.user = *std::move(user), .realm = *std::move(realm), .client = *client, .relay = *relay},
                          std::move(live)))};
}

admin_answer drain(const admin_world& world, const admin_target&) {
    world.drain();
    return {.status = 202,
            .body = json_line({{"draining", true}, {"numAllocations", world.numbers().totals.relay.allocations}})};
}

admin_answer reload(const admin_world& world, const admin_target&) {
    const reload_report report = world.reload();
    if (!report.good()) return not_reloaded(report);
    nlohmann::ordered_json object{
        {"file", report.file}, {"changes", nlohmann::ordered_json::array()}, {"warnings", report.warnings}};
    for (const change& c : report.changes)
        object["changes"].push_back(
            {{"key", c.key}, {"from", c.from}, {"to", c.to}, {"needsRestart", c.when == takes_effect::after_restart}});
    return {.body = json_line(object)};
}

admin_answer set_log_level(const admin_world& world, const admin_target& target) {
    constexpr std::pair<std::string_view, log_level> levels[] = {{"debug", log_level::debug},
                                                                 {"info", log_level::info},
                                                                 {"warning", log_level::warning},
                                                                 {"error", log_level::error}};
    const std::string* wanted = target.find("level");
    for (const auto& [name, level] : levels) {
        if (wanted == nullptr || *wanted != name) continue;
        world.set_log_level(level);
        return {.body = json_line({{"level", name}})};
    }
    return bad_parameter("level", wanted == nullptr ? "" : *wanted, "this is no level of the log",
                         "write level=debug, info, warning or error");
}

} // namespace turnd
