#pragma once
/// Users with a password: the long-term credential mechanism, RFC 8489, 9.2. Keys are kept, passwords are not.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "turn/result.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {

/// Immutable once filled; then any thread may look users up.
class user_table {
public:
    /// Replaces a user of the same name in the same realm. Errors: invalid_text (not an OpaqueString).
    turn::result<void> add(std::string_view realm, std::string_view name, std::string_view password);

    /// The key of a user, or nullptr. A name that is not in its OpaqueString form (RFC 8265, 4.2) is brought into it
    /// first, so that a client which skips that step is not a stranger.
    [[nodiscard]] const turn::stun::credential_key* find(std::string_view realm, std::string_view name) const;
    [[nodiscard]] std::size_t size() const noexcept; ///< users, each realm counted
    /// Calls `found(realm, name, key)` for everybody.
    template <class Function>
    void for_each(Function found) const {
        for (const auto& [realm, users] : realms_)
            for (const auto& [name, key] : users) found(realm, name, key);
    }

private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
    };
    template <class Value>
    using by_text = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

    by_text<by_text<turn::stun::credential_key>> realms_;
};

} // namespace turnd
