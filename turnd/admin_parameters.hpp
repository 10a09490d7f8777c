#pragma once
/// What parameters of the HTTP service may hold, each checked before anything is done with it.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "admin_message.hpp"
#include "admin_target.hpp"
#include "turn/observer.hpp"
#include "turn/result.hpp"
#include "turn/transport_address.hpp"

namespace turnd {

/// A value, nothing when the parameter is absent, or the answer (400) that says what is wrong with it.
template <class T>
using admin_value = turn::result<std::optional<T>, admin_answer>;

/// A user or a realm: 1 to 508 bytes of UTF-8 (RFC 8489, 14.3) without control characters.
admin_value<std::string> name_of(const admin_target&, std::string_view parameter);
/// An IP address, without a port.
admin_value<turn::transport_address> ip_of(const admin_target&, std::string_view parameter);
/// A whole number between `min` and `max`.
admin_value<std::uint64_t> number_of(const admin_target&, std::string_view parameter, std::uint64_t min,
                                     std::uint64_t max);
/// The id of a relay.
admin_value<turn::allocation_id> relay_of(const admin_target&, std::string_view parameter);
/// The same, of a text that is no parameter.
std::optional<turn::allocation_id> relay_id(std::string_view text);

/// 400: `parameter` is wrong.
admin_answer bad_parameter(std::string_view parameter, std::string_view value, std::string_view what,
                           std::string_view remedy);

} // namespace turnd
