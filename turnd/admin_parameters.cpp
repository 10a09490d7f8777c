#include "admin_parameters.hpp"

#include <limits>

#include <fmt/format.h>

#include "parse_value.hpp"
#include "printable.hpp"

namespace turnd {
namespace {

constexpr std::size_t longest_name = 508; // RFC 8489, 14.3: fewer than 509 bytes
constexpr std::size_t shown_of_value = 60;

} // namespace

admin_answer bad_parameter(std::string_view parameter, std::string_view value, std::string_view what,
                           std::string_view remedy) {
    return admin_error(400, "bad-parameter",
                       fmt::format("{} = \"{}\": {}", parameter, printable(value, shown_of_value), what), remedy);
}

admin_value<std::string> name_of(const admin_target& target, std::string_view parameter) {
    const std::string* value = target.find(parameter);
    if (value == nullptr) return std::optional<std::string>{};
    if (value->empty()) return bad_parameter(parameter, *value, "this is empty", "write a name");
    if (value->size() > longest_name)
        return bad_parameter(parameter, *value, fmt::format("this is longer than {} bytes", longest_name),
                             "no name is so long (RFC 8489, 14.3)");
    if (!is_utf8(*value))
        return bad_parameter(parameter, *value, "this is not UTF-8", "encode each byte of its UTF-8 as %XX");
    if (has_control_characters(*value))
        return bad_parameter(parameter, *value, "this has control characters", "no name has any");
    return std::optional(*value);
}

admin_value<turn::transport_address> ip_of(const admin_target& target, std::string_view parameter) {
    const std::string* value = target.find(parameter);
    if (value == nullptr) return std::optional<turn::transport_address>{};
    const auto ip = turn::transport_address::parse_ip(*value);
    if (!ip)
        return bad_parameter(parameter, *value, "this is not an IP address",
                             "write e.g. 192.0.2.1 or 2001:db8::1, without a port");
    return std::optional(*ip);
}

admin_value<std::uint64_t> number_of(const admin_target& target, std::string_view parameter, std::uint64_t min,
                                     std::uint64_t max) {
    const std::string* value = target.find(parameter);
    if (value == nullptr) return std::optional<std::uint64_t>{};
    const auto number = parse_number(*value, min, max);
    if (!number) return bad_parameter(parameter, *value, number.error().what, number.error().remedy);
    return std::optional(*number);
}

std::optional<turn::allocation_id> relay_id(std::string_view text) {
    const auto number = parse_number(text, 1, std::numeric_limits<std::uint64_t>::max());
    if (!number) return {};
    return static_cast<turn::allocation_id>(*number);
}

admin_value<turn::allocation_id> relay_of(const admin_target& target, std::string_view parameter) {
    const std::string* value = target.find(parameter);
    if (value == nullptr) return std::optional<turn::allocation_id>{};
    const auto id = relay_id(*value);
    if (!id)
        return bad_parameter(parameter, *value, "this is not the id of a relay",
                             "/api/v1/relays lists them: whole numbers from 1 on");
    return std::optional(*id);
}

} // namespace turnd
