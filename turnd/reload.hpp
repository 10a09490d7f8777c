#pragma once
/// What a reload changes: the settings that run beside those that are wanted, key by key.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "credential_directory.hpp"
#include "settings.hpp"

namespace turnd {

enum class takes_effect : std::uint8_t { at_once, after_restart };

/// One key whose value is another one now. Secrets are masked: users appear by name, shared secrets as a number.
struct change {
    std::string key{}; ///< as it is called in the file: "log.level"
    std::string from{}, to{};
    takes_effect when{};

    /// `log.level: info -> debug`, with `(needs a restart)` where it does.
    [[nodiscard]] std::string to_string() const;
};

/// What a reload does about a key. Every key has one; a test looks.
struct reload_rule {
    std::string_view key; ///< its name: "log-level"
    takes_effect when;
    std::string (*show)(const settings&); ///< the value in words that differ when values do
    void (*take)(settings& into, const settings& from);
};
std::span<const reload_rule> reload_rules() noexcept;

/// The keys whose values differ, in the order of the rules.
std::vector<change> changes_between(const settings& running, const settings& wanted, const credential_changes&);

/// `running` with all of `wanted` that takes effect at once: what runs after the reload.
settings after_reload(settings running, const settings& wanted);

} // namespace turnd
