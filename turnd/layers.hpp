#pragma once
/// The layers a configuration is laid out in: what flags, environment and file say, still as text.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "keys.hpp"
#include "problem.hpp"

namespace turnd {

/// By the name of the key (a view into the table of keys). An empty list is a value too: `allow = []`.
using layer = std::map<std::string_view, std::vector<raw_value>>;

/// The process's environment, as far as it concerns turnd. A copy, so that tests have one of their own.
using environment = std::map<std::string, std::string>;

/// What the environment says: TURND_<KEY>, and for secrets TURND_<SECRET>, TURND_<SECRET>_FILE and
/// $CREDENTIALS_DIRECTORY/<secret>. An empty variable is an unset one. Variables that look like misspelt keys are
/// warned about only: orchestrators set variables of their own under names like TURND_PORT.
layer read_environment(const environment&, problem_list&, std::vector<std::string>& warnings);

/// What a TOML file says. `path` is what problems name. Unknown keys are problems. False: this is not TOML at all.
bool read_toml(std::string_view text, const std::string& path, layer& found, problem_list&);

/// The defaults of the table.
layer built_in_layer();

} // namespace turnd
