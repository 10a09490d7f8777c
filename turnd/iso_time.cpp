#include "iso_time.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace turnd {

std::string iso_time(std::chrono::system_clock::time_point when) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

} // namespace turnd
