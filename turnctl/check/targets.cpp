#include "turnctl/check/targets.hpp"

#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "file_text.hpp"
#include "printable.hpp"
#include "turn/stun/credentials.hpp"

namespace turnctl::check {
namespace {

/// RFC 8489, 14.3: a USERNAME is shorter than 509 bytes.
constexpr std::size_t longest_username = 508;

std::string about(std::string_view what, std::string_view why) {
    return fmt::format("\"{}\": {}", turnd::printable(what), why);
}

or_words<target> parse_line(const std::string& line, const who& user) {
    std::istringstream words(line);
    std::string uri, username, password_file, more;
    words >> uri >> username >> password_file >> more;
    if (!more.empty() || (!username.empty() && password_file.empty()))
        return std::string("a line is: URI, or: URI USER PASSWORD-FILE");
    if (username.empty()) return parse_target(uri, user);
    const auto own = read_user(username, password_file);
    if (!own) return own.error();
    return parse_target(uri, *own);
}

} // namespace

or_words<who> read_user(const std::string& username, const std::string& password_file) {
    const auto name = turn::stun::opaque_string(username);
    if (!name || name->empty()) return about(username, "not a user name: UTF-8 without control characters");
    if (name->size() > longest_username)
        return about(username, "a user name that long does not fit into a STUN message (508 bytes)");
    auto text = turnd::read_file(password_file);
    if (!text)
        return fmt::format("{}: {}; {}", turnd::printable(password_file), text.error().what, text.error().remedy);
    auto lines = turnd::lines_of(*text);
    turnd::wipe(*text);
    if (lines.empty())
        return fmt::format("{}: the file holds no password; write it on its first line",
                           turnd::printable(password_file));
    who w{.username = *name, .password = lines.front().text};
    for (auto& line : lines) turnd::wipe(line.text);
    if (!turn::stun::opaque_string(w.password))
        return fmt::format("{}: the first line is no password: UTF-8 without control characters",
                           turnd::printable(password_file));
    return w;
}

or_words<target> parse_target(std::string_view uri, const who& user) {
    const auto parsed = turn::uri::parse(uri);
    if (!parsed) return about(uri, "not a STUN or TURN URI, such as turn:host:3478?transport=udp or turns:host");
    const auto transport = parsed->transport_or_default();
    if (transport != "udp" && transport != "tcp") return about(uri, "the transport is udp or tcp");
    const bool relays = parsed->scheme == turn::uri_scheme::turn || parsed->scheme == turn::uri_scheme::turns;
    return target{.server = *parsed, .text = std::string(uri), .user = relays ? user : who{}};
}

or_words<std::vector<target>> read_list(const std::string& path, const who& user) {
    const auto text = turnd::read_file(path);
    if (!text) return fmt::format("{}: {}; {}", turnd::printable(path), text.error().what, text.error().remedy);
    std::vector<target> all;
    for (const auto& line : turnd::lines_of(*text)) {
        const std::size_t begin = line.text.find_first_not_of(" \t");
        if (begin == std::string::npos || line.text[begin] == '#') continue;
        auto one = parse_line(line.text, user);
        if (!one) return fmt::format("{}, line {}: {}", turnd::printable(path), line.number, one.error());
        if (all.size() == most_targets)
            return fmt::format("{}: more than {} servers", turnd::printable(path), most_targets);
        all.push_back(std::move(*one));
    }
    if (all.empty()) return fmt::format("{}: no URI in it", turnd::printable(path));
    return all;
}

} // namespace turnctl::check
