#include "admin_start.hpp"

#include <string>
#include <utility>

#include <sys/stat.h>

namespace turnd {
namespace {

bool is_chosen(const settings& s) {
    const auto at = s.origins.find("admin-socket");
    return at != s.origins.end() && at->second.from != origin::layer::built_in;
}

bool has_folder(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    struct stat about {};
    return ::stat(folder.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

/// The path to open; empty: none.
std::string socket_wanted(const settings& s, logger& to) {
    if (s.admin_socket.empty() || is_chosen(s) || has_folder(s.admin_socket)) return s.admin_socket;
    to.write(log_level::info, "no admin socket: its folder does not exist; turnctl needs admin-socket",
             {{"path", s.admin_socket}});
    return {};
}

void say_where(const http_service& service, const std::string& socket, logger& to) {
    if (!socket.empty()) to.write(log_level::info, "admin socket", {{"path", socket}});
    const auto status = service.status_address();
    if (!status) return;
    const std::string url = "http://" + status->to_string() + "/";
    to.write(log_level::info, "status page", {{"url", url}});
    if (!status->is_loopback())
        to.write(log_level::warning,
                 "the status page is open to others than this machine, without a password: who reaches it sees users "
                 "and addresses",
                 {{"url", url}});
}

} // namespace

bool start_admin(const settings& s, admin_world world, logger& to, std::optional<http_service>& service) {
    const http_service::handler handle = [world = std::move(world)](const admin_request& r) {
        return answer(world, r);
    };
    std::string socket = socket_wanted(s, to);
    auto started = http_service::start({.socket = socket, .status_listen = s.status_listen}, handle);
    if (!started && started.error().place == socket && !is_chosen(s)) {
        to.write(log_level::warning, "no admin socket; turnctl will not find this turnd",
                 {{"path", socket}, {"why", started.error().why}});
        socket.clear();
        started = http_service::start({.socket = {}, .status_listen = s.status_listen}, handle);
    }
    if (!started) {
        to.write(log_level::error, "not started", {{"why", started.error().place + ": " + started.error().why}});
        return false;
    }
    service.emplace(*std::move(started));
    say_where(*service, socket, to);
    return true;
}

} // namespace turnd
