/// turnctl credential: what a web service does for its pages, for trying out and for scripts.

#include <chrono>
#include <memory>
#include <ostream>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "file_text.hpp"
#include "iso_time.hpp"
#include "parse_value.hpp"
#include "printable.hpp"
#include "turn/stun/credentials.hpp"
#include "turn/uri.hpp"
#include "turnctl/verb.hpp"

namespace turnctl {
namespace {

using namespace std::chrono_literals;

/// RFC 8489, 14.3: a USERNAME is shorter than 509 bytes.
constexpr std::size_t longest_username = 508;

struct options {
    std::string secret_file{};
    std::string user{};
    std::string lifetime = "1h";
    std::vector<std::string> uris{};
    bool json = false;
};

int misused(console& to, std::string_view flag, std::string_view value, std::string_view why) {
    to.err << fmt::format("turnctl: {} \"{}\": {}\n", flag, turnd::printable(value), why);
    return exit_usage;
}

/// The first secret of the file; of several, the one that turnd's other secrets are being replaced by.
turnd::parsed<std::string> read_secret(const std::string& path) {
    auto text = turnd::read_file(path);
    if (!text) return text.error();
    auto lines = turnd::lines_of(*text);
    turnd::wipe(*text);
    if (lines.empty()) return turnd::complaint{"the file holds no secret", "write one on its first line"};
    std::string secret = std::move(lines.front().text);
    for (auto& line : lines) turnd::wipe(line.text);
    return secret;
}

int make_credential(const options& o, console& to) {
    const auto lifetime = turnd::parse_duration(o.lifetime, 1s, std::chrono::hours(24 * 365));
    if (!lifetime) return misused(to, "--lifetime", o.lifetime, lifetime.error().what + "; " + lifetime.error().remedy);
    for (const std::string& uri : o.uris)
        if (!turn::uri::parse(uri))
            return misused(to, "--uri", uri, "not a STUN or TURN URI, such as turn:host:3478?transport=udp");
    if (!o.user.empty())
        if (const auto name = turn::stun::opaque_string(o.user); !name || *name != o.user)
            return misused(to, "--user", o.user, "not a user name: UTF-8 without control characters, normalized (NFC)");

    const auto expires = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) + *lifetime;
    std::string username = std::to_string(expires.time_since_epoch().count());
    if (!o.user.empty()) username += ":" + o.user;
    if (username.size() > longest_username)
        return misused(to, "--user", o.user, "a user name that long does not fit into a STUN message (508 bytes)");

    auto secret = read_secret(o.secret_file);
    if (!secret) {
        to.err << fmt::format("turnctl: {}: {}; {}\n", turnd::printable(o.secret_file), secret.error().what,
                              secret.error().remedy);
        return exit_critical;
    }
    const std::string password = turn::stun::rest_password(*secret, username);
    turnd::wipe(*secret);

    const auto server = nlohmann::ordered_json{{"urls", o.uris}, {"username", username}, {"credential", password}};
    const std::string until = turnd::iso_time(expires);
    if (o.json) {
        to.out << nlohmann::ordered_json{{"username", username},
                                         {"credential", password},
                                         {"expires", until},
                                         {"iceServers", nlohmann::ordered_json::array({server})}}
                      .dump()
               << '\n';
        return exit_good;
    }
    to.out << fmt::format("username    {}\ncredential  {}\nexpires     {}\n", turnd::printable(username), password,
                          until);
    if (!o.uris.empty())
        to.out << "for a browser: "
               << nlohmann::ordered_json{{"iceServers", nlohmann::ordered_json::array({server})}}.dump() << '\n';
    return exit_good;
}

} // namespace

verb add_credential(CLI::App& app) {
    const auto o = std::make_shared<options>();
    CLI::App* command = app.add_subcommand("credential", "Make a time-limited credential from a shared secret");
    command->add_option("--secret-file", o->secret_file, "File with the secret that turnd knows; its first line counts")
        ->required();
    command->add_option("--user", o->user, "Name within the username: whom logs and limits mean");
    command->add_option("--lifetime", o->lifetime, "How long it is good: 90s, 10m, 1h, 1d")->capture_default_str();
    command->add_option("--uri", o->uris, "URI of the TURN server, for the browser's iceServers; may be repeated")
        ->allow_extra_args(false);
    command->add_flag("--json", o->json, "As JSON");
    return {command, [o](console& to) { return make_credential(*o, to); }};
}

} // namespace turnctl
