#include "turnctl/check/own_turnd.hpp"

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

namespace turnctl::check {
namespace {

using json = nlohmann::ordered_json;

bool is_at(const json& listener, const report& r) {
    return listener.is_object() && r.server && listener.value("address", json()) == r.server->ip_to_string() &&
           listener.value("port", json()) == r.server->port && listener.value("transport", json()) == r.transport;
}

} // namespace

void add_allocations(std::span<report> reports, const json& status) {
    if (!status.is_object()) return;
    const json count = status.value("numAllocations", json()), listeners = status.value("listeners", json());
    if (!count.is_number_unsigned() || !listeners.is_array()) return;
    for (report& r : reports)
        if (std::ranges::any_of(listeners, [&](const json& l) { return is_at(l, r); }))
            r.allocations = count.get<std::uint64_t>();
}

} // namespace turnctl::check
