#pragma once
/// The target of an HTTP request (RFC 9112, 3.2.1: origin-form) as a path and parameters.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"

namespace turnd {

struct admin_parameter {
    std::string name{};
    std::string value{};
};

struct admin_target {
    std::string path{};
    std::vector<admin_parameter> parameters{}; ///< of the query, in their order

    /// The value of a parameter, or nullptr.
    [[nodiscard]] const std::string* find(std::string_view name) const noexcept;
};

/// Percent-encoding is taken apart; the result may hold any byte. Complains about "%" without two hexadecimal digits,
/// a path that does not begin with "/", and a parameter without a name or given twice. "+" is a space in the query.
parsed<admin_target> parse_target(std::string_view text);

/// `text` for a query: everything but letters, digits and "-._~" as %XX.
std::string percent_encode(std::string_view text);

} // namespace turnd
