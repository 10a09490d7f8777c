#include "admin_service.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "admin_metrics.hpp"
#include "admin_routes.hpp"
#include "admin_status.hpp"
#include "admin_target.hpp"
#include "embedded_files.hpp"
#include "json_text.hpp"
#include "printable.hpp"

namespace turnd {
namespace {

admin_answer plain_text(int status, std::string text) {
    return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(text)};
}

admin_answer healthz(const admin_world&, const admin_target&) {
    return plain_text(200, "ok\n");
}

admin_answer readyz(const admin_world& world, const admin_target&) {
    return world.draining() ? plain_text(503, "draining: no new allocations\n") : plain_text(200, "ready\n");
}

admin_answer metrics(const admin_world& world, const admin_target&) {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text(world.numbers())};
}

admin_answer status(const admin_world& world, const admin_target&) {
    return {.body = status_json(world.numbers())};
}

struct route {
    std::string_view path; ///< ending in "/": also for what is below
    std::string_view method;
    std::array<std::string_view, 4> parameters; ///< that it may have
    admin_answer (*handle)(const admin_world&, const admin_target&);

    [[nodiscard]] bool leads_to(std::string_view wanted) const noexcept {
        return path.ends_with('/') ? wanted.starts_with(path) && wanted.size() > path.size() : wanted == path;
    }
};

constexpr route routes[] = {
    {"/healthz", "GET", {}, healthz},
    {"/readyz", "GET", {}, readyz},
    {"/metrics", "GET", {}, metrics},
    {"/api/v1/status", "GET", {}, status},
    {relays_path, "GET", {"user", "realm", "client", "limit"}, list_relays},
    {"/api/v1/relays/", "GET", {}, show_relay},
    {"/api/v1/why", "GET", {"user", "realm", "client", "relay"}, tell_why},
    {"/api/v1/kick", "POST", {"user", "realm", "relay"}, kick},
    {"/api/v1/drain", "POST", {}, drain},
    {"/api/v1/reload", "POST", {}, reload},
    {"/api/v1/log-level", "POST", {"level"}, set_log_level},
};

admin_answer wrong_method(std::string_view method, std::string_view allowed, std::string_view remedy) {
    admin_answer no = admin_error(405, "wrong-method", fmt::format("{} is not for this path", printable(method)),
                                  remedy.empty() ? fmt::format("use {}", allowed) : std::string(remedy));
    no.headers.emplace_back("Allow", allowed);
    return no;
}

admin_answer page(const embedded_file& file, const admin_request& request) {
    admin_answer found{.content_type = std::string(file.content_type), .headers = {{"ETag", std::string(file.etag)}}};
    if (request.if_none_match == file.etag)
        found.status = 304;
    else
        found.body = file.bytes;
    return found;
}

/// The answer to a parameter that the route does not have, if there is one.
std::optional<admin_answer> unknown_parameter(const route& r, const admin_target& target) {
    for (const admin_parameter& given : target.parameters) {
        if (!given.name.empty() &&
            std::find(r.parameters.begin(), r.parameters.end(), given.name) != r.parameters.end())
            continue;
        std::string known;
        for (const auto name : r.parameters)
            if (!name.empty()) known += (known.empty() ? "" : ", ") + std::string(name);
        return admin_error(400, "unknown-parameter",
                           fmt::format("{} has no parameter \"{}\"", r.path, printable(given.name)),
                           known.empty() ? "leave it out" : "it may have: " + known);
    }
    return {};
}

} // namespace

admin_answer admin_error(int status, std::string_view code, std::string_view message, std::string_view remedy) {
    nlohmann::ordered_json object{{"error", code}, {"message", message}};
    if (!remedy.empty()) object["remedy"] = remedy;
    return {.status = status, .body = json_line(object)};
}

admin_answer answer(const admin_world& world, const admin_request& request) {
    const auto target = parse_target(request.target);
    if (!target) return admin_error(400, "bad-target", target.error().what, target.error().remedy);
    const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);

    if (const embedded_file* file = find_embedded_file(target->path); file != nullptr)
        return method == "GET" ? page(*file, request) : wrong_method(request.method, "GET, HEAD", {});
    const auto found =
        std::find_if(std::begin(routes), std::end(routes), [&](const route& r) { return r.leads_to(target->path); });
    if (found == std::end(routes))
        return admin_error(404, "not-found", fmt::format("there is nothing at {}", printable(target->path)),
                           "see the paths in the manual, \"HTTP\"");
    if (method != found->method)
        return wrong_method(request.method, found->method == "GET" ? "GET, HEAD" : found->method, {});
    if (method == "POST" && !request.may_write)
        return wrong_method(request.method, "", "the status listener only shows; commands go through the unix socket");
    if (request.has_body)
        return admin_error(400, "body", "a request has no body here", "write parameters into the query: ?NAME=VALUE");
    if (auto no = unknown_parameter(*found, *target)) return *std::move(no);
    return found->handle(world, *target);
}

} // namespace turnd
