#include "turnctl/api.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ostream>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "admin_sockets.hpp"
#include "printable.hpp"

namespace turnctl {
namespace {

using json = nlohmann::ordered_json;
using failure = std::string;

constexpr std::size_t most_bytes = std::size_t{1} << 26; ///< of an answer
constexpr timeval patience{10, 0};

failure not_there(const std::string& socket, int error) {
    const char* remedy = error == EACCES ? "you may not use it: run turnctl as root or as a member of its group"
                         : error == ECONNREFUSED || error == ENOENT
                             ? "is turnd running? --socket PATH says where its admin-socket is"
                             : "";
    return fmt::format("no turnd at {}: {}{}{}", turnd::printable(socket), std::generic_category().message(error),
                       *remedy == '\0' ? "" : "; ", remedy);
}

turn::result<turnd::owned_descriptor, failure> connect_to(const std::string& path) {
    sockaddr_un name{};
    if (path.empty() || path.size() >= sizeof name.sun_path)
        return failure("--socket: a path of 1 to 107 bytes is needed");
    name.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(name.sun_path), path.data(), path.size());
    turnd::owned_descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.value() < 0) return not_there(path, errno);
    ::setsockopt(socket.value(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket.value(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(socket.value(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
        return not_there(path, errno);
    return socket;
}

bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

/// Until the other side closes: each connection carries one answer.
bool receive_all(int fd, std::string& into) {
    std::array<char, 16384> part{};
    for (;;) {
        const ssize_t n = ::recv(fd, part.data(), part.size(), 0);
        if (n == 0) return true;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || into.size() > most_bytes) return false;
        into.append(part.data(), static_cast<std::size_t>(n));
    }
}

/// "HTTP/1.1 200 OK", headers, an empty line, JSON.
turn::result<api_answer, failure> read_answer(const std::string& text) {
    constexpr std::string_view version = "HTTP/1.1 ";
    const std::size_t body = text.find("\r\n\r\n");
    api_answer answer;
    const char* const status = text.data() + version.size();
    if (!text.starts_with(version) || body == std::string::npos ||
        std::from_chars(status, text.data() + text.size(), answer.status).ptr != status + 3)
        return failure("this is no turnd: the answer is not HTTP");
    answer.body = json::parse(text.begin() + static_cast<std::ptrdiff_t>(body) + 4, text.end(), nullptr, false);
    if (!answer.body.is_object()) return failure("this is no turnd, or one of another version: the answer is not JSON");
    return answer;
}

std::string text_of(const json& object, const char* name) {
    const auto at = object.find(name);
    return at != object.end() && at->is_string() ? turnd::printable(at->get<std::string>()) : "";
}

void say_refused(const json& error, console& to) {
    const std::string message = text_of(error, "message"), remedy = text_of(error, "remedy");
    to.err << fmt::format("turnctl: {}{}{}\n", message.empty() ? "turnd refused" : message, remedy.empty() ? "" : "; ",
                          remedy);
    if (const auto problems = error.find("problems"); problems != error.end() && problems->is_array())
        for (const auto& p : *problems) to.err << text_of(p, "text") << '\n';
}

} // namespace

turn::result<api_answer, failure> ask_turnd(const std::string& socket, std::string_view method,
                                            std::string_view target) {
    const auto connection = connect_to(socket);
    if (!connection) return connection.error();
    const std::string request =
        fmt::format("{} {} HTTP/1.1\r\nHost: turnd\r\nConnection: close\r\n\r\n", method, target);
    std::string answer;
    if (!send_all(connection->value(), request) || !receive_all(connection->value(), answer))
        return fmt::format("turnd at {} does not answer", turnd::printable(socket));
    return read_answer(answer);
}

void add_api_flags(CLI::App& command, api_flags& flags) {
    command.add_option("--socket", flags.socket, "Where turnd's admin-socket is")
        ->type_name("PATH")
        ->capture_default_str();
    command.add_flag("--json", flags.json, "Print what turnd's HTTP service answers");
}

int ask_and_show(const api_flags& flags, std::string_view method, std::string_view target, console& to,
                 const std::function<std::string(const json&)>& show) {
    const auto answer = ask_turnd(flags.socket, method, target);
    if (!answer) {
        to.err << "turnctl: " << answer.error() << '\n';
        if (flags.json) to.out << json{{"error", "unreachable"}, {"message", answer.error()}}.dump() << '\n';
        return exit_critical;
    }
    const bool good = answer->status >= 200 && answer->status < 300;
    if (flags.json) to.out << answer->body.dump() << '\n';
    if (!good) {
        say_refused(answer->body, to);
        return exit_critical;
    }
    if (flags.json) return exit_good;
    try {
        to.out << show(answer->body);
    } catch (const json::exception&) {
        to.err << "turnctl: turnd answered something else than was asked for; is it another version? --json shows it\n";
        return exit_critical;
    }
    return exit_good;
}

} // namespace turnctl
