#pragma once
/// What is wrong with a configuration: where it was said, the key, the value, what is wrong and what to do.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "turn/result.hpp"

namespace turnd {

/// Where a value was given.
struct origin {
    /// In the order of precedence: a later one wins.
    enum class layer { built_in, file, environment, flag };
    layer from = layer::built_in;
    std::string place{}; ///< the file's path, "environment", "command line" or "default"
    unsigned line = 0;   ///< in a file, from 1; 0: none
    std::string name{};  ///< the key as it is spelt there: "relay.ports", "TURND_RELAY_PORTS", "--relay-ports"
};

/// What is wrong with a value, and how to mend it. No full stops: sentences are joined by whoever prints.
struct complaint {
    std::string what{};
    std::string remedy{};
};

/// A value of a key's type, or why the text is none.
template <class T>
using parsed = turn::result<T, complaint>;

struct problem {
    origin where{};
    std::string value{}; ///< as given; empty: the key is missing or the whole file is meant
    complaint why{};

    /// One line: `/etc/turnd/turnd.toml:12: relay.ports = "9-1": the lowest port is above the highest; write ...`
    [[nodiscard]] std::string to_string() const;
};

/// Shown instead of a value that is secret.
inline constexpr std::string_view hidden = "(hidden)";

using problem_list = std::vector<problem>;

} // namespace turnd
