#include "admin_why.hpp"

#include "admin_relays.hpp"
#include "iso_time.hpp"
#include "json_text.hpp"
#include "turn/verdict.hpp"

namespace turnd {
namespace {

using json = nlohmann::ordered_json;

void put(json& object, const char* name, const std::string& text) {
    if (!text.empty()) object[name] = text;
}

/// What does not apply to its kind is left out.
json event(const told_event& e) {
    json object{{"what", e.what}, {"text", e.text}, {"time", iso_time(e.last)}};
    if (e.times > 1) {
        object["times"] = e.times;
        object["firstTime"] = iso_time(e.first);
    }
    put(object, "reason", e.reason);
    if (e.code != 0) object["code"] = e.code;
    put(object, "method", e.method);
    put(object, "client", e.client);
    put(object, "user", e.user);
    put(object, "realm", e.realm);
    if (!e.user.empty()) object["authenticated"] = e.authenticated;
    if (e.relay != 0) object["relay"] = e.relay;
    put(object, "peer", e.peer);
    put(object, "rule", e.rule);
    if (e.expired_for) object["expiredForSeconds"] = e.expired_for->count();
    put(object, "endedBy", e.ended_by);
    if (e.usage) {
        object["packetsUp"] = e.usage->packets_up;
        object["bytesUp"] = e.usage->bytes_up;
        object["packetsDown"] = e.usage->packets_down;
        object["bytesDown"] = e.usage->bytes_down;
        object["ageSeconds"] = e.usage->age.count();
    }
    return object;
}

} // namespace

std::string why_json(const why_answer& a) {
    json object{{"subject", a.subject}, {"outcome", name_of(a.outcome)}};
    put(object, "reason", a.reason);
    if (a.code != 0) object["code"] = a.code;
    if (a.times != 0) {
        object["time"] = iso_time(a.time);
        object["times"] = a.times;
    }
    object["explanation"] = a.explanation;
    object["remedy"] = a.remedy;
    object["events"] = json::array();
    for (const told_event& e : a.events) object["events"].push_back(event(e));
    object["relays"] = json::array();
    for (const auto& r : a.relays) object["relays"].push_back(relay_json(r));
    object["rememberedSince"] = iso_time(a.remembered_since);
    return json_line(object);
}

} // namespace turnd
