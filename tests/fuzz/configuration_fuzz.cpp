/// turnd's configuration file: any bytes become settings that a server takes, or problems that say where and what.

#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "configuration.hpp"
#include "fuzz.hpp"
#include "printable.hpp"
#include "server_setup.hpp"

namespace {

/// A file in memory with a path of its own.
class memory_file {
public:
    void replace(const std::uint8_t* data, std::size_t size) {
        turn::fuzz::require(::ftruncate(fd_, 0) == 0);
        turn::fuzz::require(::pwrite(fd_, data, size, 0) == static_cast<ssize_t>(size));
    }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

private:
    int fd_ = ::memfd_create("turnd.toml", MFD_CLOEXEC);
};

void check_problem(const turnd::problem& p) {
    using turn::fuzz::require;
    require(!p.where.place.empty());
    require(p.where.line != 0 || !p.where.name.empty());
    require(!p.why.what.empty());
    require(!p.why.remedy.empty());
    const std::string line = p.to_string();
    require(turnd::is_utf8(line));
    require(!turnd::has_control_characters(line));
    require(line.size() < 2000);
}

void check_options(const turnd::settings& s) {
    using turn::fuzz::require;
    const turn::server_options o = turnd::server_options_of(s, {}, nullptr);
    require(!o.listeners.empty());
    for (const turn::listener& l : o.listeners) {
        require((l.protocol == turn::transport::tls) == !l.certificates.empty());
        require(!o.relay.relaying || o.relay.anonymous || !l.realm.empty());
    }
    require(o.relay_port_min != 0 && o.relay_port_min <= o.relay_port_max);
    require(o.connections.without_allocation != 0 && o.connections.per_source != 0);
    require(o.connections.idle.count() > 0 && o.connections.handshake.count() > 0 &&
            o.connections.queue_age.count() > 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static memory_file file;
    file.replace(data, size);
    const turnd::configuration c = turnd::load_configuration({}, {}, file.path());
    turn::fuzz::require(c.file == file.path());
    for (const turnd::problem& p : c.problems) check_problem(p);
    for (const std::string& warning : c.warnings) turn::fuzz::require(!warning.empty());
    if (c.problems.empty()) check_options(c.settings);
    return 0;
}
