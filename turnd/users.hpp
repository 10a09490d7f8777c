#pragma once
/// Users with a password: the long-term credential mechanism, RFC 8489, 9.2. Keys are kept, passwords are not.

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "turn/result.hpp"
#include "turn/stun/credentials.hpp"

namespace turnd {

/// What takes the place of a password.
struct user_keys {
    turn::stun::credential_key md5{};
    turn::stun::credential_key sha256{};

    [[nodiscard]] const turn::stun::credential_key& of(turn::stun::password_algorithm_number a) const noexcept {
        return a == turn::stun::password_algorithm_number::sha256 ? sha256 : md5;
    }
};
/// `name` and `realm` as OpaqueStrings. Errors: invalid_text, when the password is none.
turn::result<user_keys> make_user_keys(std::string_view name, std::string_view realm, std::string_view password);

struct known_user {
    std::string name{}; ///< as OpaqueString
    user_keys keys{};
};

/// Immutable once filled; then any thread may look users up.
class user_table {
public:
    /// Replaces a user of the same name in the same realm. Errors: invalid_text (not an OpaqueString).
    turn::result<void> add(std::string_view realm, std::string_view name, std::string_view password);

    /// A user, or nullptr. A name that is not in its OpaqueString form (RFC 8265, 4.2) is brought into it first, so
    /// that a client which skips that step is not a stranger.
    [[nodiscard]] const known_user* find(std::string_view realm, std::string_view name) const;
    /// The one whose USERHASH this is (RFC 8489, 14.4), or nullptr.
    [[nodiscard]] const known_user* find(std::string_view realm, const std::array<std::byte, 32>& userhash) const;
    [[nodiscard]] std::size_t size() const noexcept; ///< users, each realm counted
    /// Calls `found(realm, user)` for everybody.
    template <class Function>
    void for_each(Function found) const {
        for (const auto& [realm, users] : realms_)
            for (const auto& [name, user] : users.by_name) found(realm, user);
    }

private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
    };
    template <class Value>
    using by_text = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

    struct users_of_realm {
        by_text<known_user> by_name{};
        by_text<std::string> names{}; ///< by userhash
    };

    by_text<users_of_realm> realms_;
};

} // namespace turnd
