#pragma once
/// The one table of everything that can be configured. Flags, environment, file, defaults, --help and the tests are
/// all driven by it: a setting is added here and nowhere else.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"
#include "settings.hpp"

namespace turnd {

/// A value as text, and where it was given.
struct raw_value {
    std::string text{};
    origin where{};
    bool is_content = false; ///< of a secret kept in files: the secret itself, not the path of its file
    bool reported = false;   ///< the text or a part is missing, and that has been reported
    struct part {
        std::string name{}; ///< "realm", "transports", "certificate" or "key"
        std::string text{};
        origin where{};
    };
    std::vector<part> parts{}; ///< of a [[listener]] table, what is not its address; lists are a part for each item
};

/// How a key is written in the TOML file. A listener_member stands in [[listener]] tables, and is read with them.
enum class toml_form : std::uint8_t { text, integer, boolean, text_list, relay_list, listener_tables, listener_member };

struct key {
    std::string_view name;     ///< the flag is --name, the environment variable TURND_NAME (upper case, _ for -)
    std::string_view path;     ///< in the file: "relay.ports" is `ports` in [relay]; empty: not there
    toml_form form;            ///< lists are repeatable flags, and separated by commas in the environment
    std::string_view argument; ///< of the flag, for --help; empty: a switch
    std::string_view built_in; ///< the default, lists separated by spaces; empty: not set
    std::string_view group;    ///< heading in --help
    std::string_view help;     ///< one line; says what an unset key does when `built_in` is empty
    std::string_view example;  ///< the right-hand side in TOML
    /// The name of the secret behind a secret key: it may also come as TURND_<SECRET>, in the file
    /// TURND_<SECRET>_FILE names, or as $CREDENTIALS_DIRECTORY/<secret>. Empty: not secret.
    std::string_view secret;
    /// Turns texts into settings; replaces what an earlier layer had set. What is wrong is added to the list.
    void (*apply)(const key&, std::span<const raw_value>, settings&, problem_list&);

    [[nodiscard]] bool repeatable() const noexcept { return form >= toml_form::text_list; }
    [[nodiscard]] std::string flag() const { return "--" + std::string(name); }
    [[nodiscard]] std::string environment() const;
};

/// Every key, in the order of --help.
std::span<const key> all_keys() noexcept;

/// By name ("relay-ports") or nullptr.
const key* find_key(std::string_view name) noexcept;
/// By path in the file ("relay.ports") or nullptr.
const key* find_key_by_path(std::string_view path) noexcept;

/// "relay-ports" → "TURND_RELAY_PORTS".
std::string environment_name(std::string_view name);

} // namespace turnd
