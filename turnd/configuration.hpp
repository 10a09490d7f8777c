#pragma once
/// From the layers to settings that can be run, or to a list of everything that is wrong.

#include <string>
#include <vector>

#include "layers.hpp"
#include "problem.hpp"
#include "settings.hpp"

namespace turnd {

inline constexpr const char* default_config_file = "/etc/turnd/turnd.toml";

struct configuration {
    turnd::settings settings{};
    problem_list problems{};             ///< not empty: do not run
    std::vector<std::string> warnings{}; ///< for the log
    std::string file{};                  ///< the file that was read; empty: none
};

/// Where a configuration comes from. Kept as long as turnd runs: a reload reads it again.
struct configuration_sources {
    layer flags{};
    environment variables{};
    std::string default_file = default_config_file;
};

/// Merges flag > environment > file > default. Every layer is checked, also where a later one has the last word.
/// `default_file` is read when no other is named and it exists.
configuration load_configuration(layer flags, const environment&,
                                 const std::string& default_file = default_config_file);
configuration load_configuration(const configuration_sources&);

/// What a server does for its clients.
enum class service : std::uint8_t {
    relay_with_credentials,
    relay_anonymously, ///< for everybody who can reach it
    stun_only,         ///< Binding requests, nothing else
};
service service_of(const settings&);

/// Whether every listener is on a loopback address.
bool only_on_loopback(const settings&);

/// The certificates of a TLS listener: cert and key of flags or environment, or else those of its table in the file.
std::vector<turn::certificate_files> certificates_of(const listener_setting&, const settings&);

/// The realm of a listener.
const std::string& realm_of(const listener_setting&, const settings&);

} // namespace turnd
