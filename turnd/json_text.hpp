#pragma once
/// JSON to be shown or sent.

#include <string>

#include <nlohmann/json.hpp>

namespace turnd {

/// On one line, or indented by so many spaces. Names come from clients and databases and may be anything: what is no
/// UTF-8 is shown as U+FFFD.
inline std::string json_text(const nlohmann::ordered_json& json, int indent = -1) {
    return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// The same, as an answer of its own.
inline std::string json_line(const nlohmann::ordered_json& json) {
    return json_text(json) + '\n';
}

} // namespace turnd
