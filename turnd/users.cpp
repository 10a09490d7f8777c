#include "users.hpp"

#include <algorithm>
#include <utility>

namespace turnd {
namespace {

std::string_view text_of(const std::array<std::byte, 32>& userhash) noexcept {
    return {reinterpret_cast<const char*>(userhash.data()), userhash.size()};
}

} // namespace

turn::result<user_keys> make_user_keys(std::string_view name, std::string_view realm, std::string_view password) {
    const auto md5 = turn::stun::long_term_key(name, realm, password);
    if (!md5) return md5.error();
    const auto sha256 = turn::stun::long_term_key_sha256(name, realm, password);
    if (!sha256) return sha256.error();
    return user_keys{*md5, *sha256};
}

turn::result<void> user_table::add(std::string_view realm, std::string_view name, std::string_view password) {
    auto opaque_name = turn::stun::opaque_string(name);
    if (!opaque_name) return opaque_name.error();
    const auto keys = make_user_keys(*opaque_name, realm, password);
    if (!keys) return keys.error();
    const auto userhash = turn::stun::hash_username(*opaque_name, realm);
    if (!userhash) return userhash.error();
    users_of_realm& users = realms_[std::string(realm)];
    users.names[std::string(text_of(*userhash))] = *opaque_name;
    users.by_name[*opaque_name] = {*opaque_name, *keys};
    return {};
}

const known_user* user_table::find(std::string_view realm, std::string_view name) const {
    const auto users = realms_.find(realm);
    if (users == realms_.end()) return nullptr;
    const auto& by_name = users->second.by_name;
    if (const auto user = by_name.find(name); user != by_name.end()) return &user->second;
    const bool ascii = std::none_of(name.begin(), name.end(), [](char c) { return (c & 0x80) != 0; });
    if (ascii) return nullptr;
    const auto opaque_name = turn::stun::opaque_string(name);
    if (!opaque_name) return nullptr;
    const auto user = by_name.find(*opaque_name);
    return user == by_name.end() ? nullptr : &user->second;
}

const known_user* user_table::find(std::string_view realm, const std::array<std::byte, 32>& userhash) const {
    const auto users = realms_.find(realm);
    if (users == realms_.end()) return nullptr;
    const auto name = users->second.names.find(text_of(userhash));
    return name == users->second.names.end() ? nullptr : &users->second.by_name.find(name->second)->second;
}

std::size_t user_table::size() const noexcept {
    std::size_t n = 0;
    for (const auto& [realm, users] : realms_) n += users.by_name.size();
    return n;
}

} // namespace turnd
