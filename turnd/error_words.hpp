#pragma once
/// What errno says, in words.

#include <string>
#include <system_error>

namespace turnd {

inline std::string words_of_error(int error) {
    return std::generic_category().message(error);
}

} // namespace turnd
