#include "apply_value.hpp"

#include <algorithm>

#include <sys/stat.h>

#include "file_text.hpp"

namespace turnd {
namespace {

constexpr std::size_t shortest_secret = 16; ///< bytes; a 96-bit secret in hexadecimal or base64

} // namespace

void apply_relay_addresses(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    into.relay_addresses.clear();
    for (const raw_value& value : values) {
        const auto relay = parse_relay_address(value.text);
        if (!relay) {
            complain(k, value, relay.error(), problems);
            continue;
        }
        const bool twice = std::any_of(into.relay_addresses.begin(), into.relay_addresses.end(),
                                       [&](const turn::relay_address& r) { return r.bind == relay->bind; });
        if (twice)
            complain(k, value, {"this relay address is given twice", "leave one of them out"}, problems);
        else
            into.relay_addresses.push_back(*relay);
    }
}

void apply_relay_ports(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (const raw_value& value : values) {
        if (const auto range = parse_port_range(value.text))
            std::tie(into.relay_port_min, into.relay_port_max) = *range;
        else
            complain(k, value, range.error(), problems);
    }
}

void apply_users(const key& k, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (user_setting& user : into.users) wipe(user.password);
    into.users.clear();
    for (const raw_value& value : values) {
        auto user = parse_user(value.text);
        if (!user) {
            complain(k, value, user.error(), problems);
            continue;
        }
        const bool twice = std::any_of(into.users.begin(), into.users.end(),
                                       [&](const user_setting& u) { return u.name == user->name; });
        if (twice)
            complain(k, value, {"a user of this name is given twice", "leave one of them out"}, problems);
        else
            into.users.push_back(*std::move(user));
    }
}

void apply_rest_secrets(const key&, std::span<const raw_value> values, settings& into, problem_list& problems) {
    for (std::string& secret : into.rest_secrets) wipe(secret);
    into.rest_secrets.clear();
    for (const raw_value& value : values) {
        // The path of a file is no secret: it may be shown.
        const auto complain_about_file = [&](complaint why) {
            problems.push_back({value.where, value.is_content ? std::string(hidden) : value.text, std::move(why)});
        };
        const auto complain_about_line = [&](unsigned line, complaint why) {
            origin where = value.where;
            if (!value.is_content) where.place = value.text;
            where.line = line;
            problems.push_back({std::move(where), std::string(hidden), std::move(why)});
        };
        parsed<std::string> text = value.is_content ? parsed<std::string>(value.text) : read_file(value.text);
        if (!text) {
            complain_about_file(text.error());
            continue;
        }
        std::vector<numbered_line> secrets = lines_of(*text);
        if (secrets.empty())
            complain_about_file(
                {"there is no secret in it", "write one secret a line, e.g. from `openssl rand -hex 32`"});
        for (auto& [number, secret] : secrets) {
            if (secret.size() < shortest_secret)
                complain_about_line(number, {fmt::format("the secret has fewer than {} bytes", shortest_secret),
                                             "make one with `openssl rand -hex 32`"});
            else if (std::find(into.rest_secrets.begin(), into.rest_secrets.end(), secret) != into.rest_secrets.end())
                complain_about_line(number, {"this secret is given twice", "leave one of them out"});
            else
                into.rest_secrets.push_back(secret);
            wipe(secret);
        }
        wipe(*text);
    }
}

std::optional<complaint> check_place(const std::string& path) {
    if (path.empty()) return complaint{"the path is empty", "name a file, or leave the key out"};
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode))
        return complaint{"this is a directory", "name a file in it"};
    if (::stat(folder.c_str(), &about) != 0 || !S_ISDIR(about.st_mode))
        return complaint{"its directory does not exist", "create it or correct the path"};
    return {};
}

} // namespace turnd
