#include "refusal_digest.hpp"

#include <utility>

namespace turnd {
namespace {

/// Reason, IP address, realm and user, each of known length but the last.
std::string key_of(const remembered_event& e) {
    std::string key(1, static_cast<char>(e.why));
    key.append(e.client.ip.begin(), e.client.ip.end()).append(1, static_cast<char>(e.client.family));
    return key.append(std::to_string(e.realm.size())).append(1, ':').append(e.realm).append(account_of(e.user));
}

/// Makes `e` stand for those before it, too.
void count_in(remembered_event& e, const std::optional<remembered_event>& earlier) {
    if (!earlier) return;
    e.first = earlier->first;
    e.times += earlier->times;
}

} // namespace

std::vector<remembered_event> refusal_digest::take(remembered_event e, time_point now) {
    std::vector<remembered_event> said;
    const std::string key = key_of(e);
    const std::lock_guard lock(mutex_);
    line& mine = lines_.use(key, [&](const auto& oldest) {
        if (oldest.value.held) said.push_back(*oldest.value.held);
    });
    count_in(e, mine.held);
    if (mine.said && now - *mine.said < pause) {
        mine.held = std::move(e);
    } else {
        said.push_back(std::move(e));
        mine = {.said = now, .held = {}};
    }
    return said;
}

std::vector<remembered_event> refusal_digest::due(time_point now) {
    std::vector<remembered_event> said;
    const std::lock_guard lock(mutex_);
    lines_.remove_if([&](auto& entry) {
        line& mine = entry.value;
        if (now - *mine.said < pause) return false;
        if (!mine.held) return true;
        said.push_back(*std::exchange(mine.held, std::nullopt));
        mine.said = now;
        return false;
    });
    return said;
}

} // namespace turnd
