#include "users.hpp"

#include <algorithm>
#include <utility>

namespace turnd {

turn::result<void> user_table::add(std::string_view realm, std::string_view name, std::string_view password) {
    auto opaque_name = turn::stun::opaque_string(name);
    if (!opaque_name) return opaque_name.error();
    const auto key = turn::stun::long_term_key(*opaque_name, realm, password);
    if (!key) return key.error();
    realms_[std::string(realm)][*std::move(opaque_name)] = *key;
    return {};
}

const turn::stun::credential_key* user_table::find(std::string_view realm, std::string_view name) const {
    const auto users = realms_.find(realm);
    if (users == realms_.end()) return nullptr;
    if (const auto user = users->second.find(name); user != users->second.end()) return &user->second;
    const bool ascii = std::none_of(name.begin(), name.end(), [](char c) { return (c & 0x80) != 0; });
    if (ascii) return nullptr;
    const auto opaque_name = turn::stun::opaque_string(name);
    if (!opaque_name) return nullptr;
    const auto user = users->second.find(*opaque_name);
    return user == users->second.end() ? nullptr : &user->second;
}

std::size_t user_table::size() const noexcept {
    std::size_t n = 0;
    for (const auto& [realm, users] : realms_) n += users.size();
    return n;
}

} // namespace turnd
