#include "problem.hpp"

#include <fmt/format.h>

#include "printable.hpp"

namespace turnd {

std::string problem::to_string() const {
    std::string line = printable(where.place);
    if (where.line != 0) line += fmt::format(":{}", where.line);
    line += ": ";
    if (!where.name.empty()) line += printable(where.name, 120);
    if (value == hidden)
        line += fmt::format(" {}", hidden);
    else if (!value.empty())
        line += fmt::format("{}\"{}\"", where.name.empty() ? "" : " = ", printable(value, 120));
    if (!where.name.empty() || !value.empty()) line += ": ";
    line += why.what;
    if (!why.remedy.empty()) line += "; " + why.remedy;
    return line;
}

} // namespace turnd
