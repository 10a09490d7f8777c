#pragma once
/// The local authentication database: users with their keys in each realm (RFC 8489, 9.2.2), in a file that turnctl
/// writes and turnd reads. Passwords are not in it; the keys are as secret as they were.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database_error.hpp"
#include "users.hpp"

namespace turnd {

inline constexpr const char* default_user_database = "/var/lib/turnd/users.db";

/// One connection to the file; for one thread at a time. Names and realms are OpaqueStrings (RFC 8265, 4.2), but any
/// bytes are safe.
class user_database {
public:
    enum class access {
        look_up, ///< nothing is ever written to the file
        change,  ///< a database of an earlier version is brought up to date
        create,  ///< as change, and the file is made when there is none: mode 0640, owned as its directory is
    };
    struct options {
        std::chrono::milliseconds patience{5000}; ///< with another program that is writing
        bool by_userhash = false;                 ///< users are to be found by it: a database of version 1 is outdated
    };
    struct user {
        std::string realm{}, name{};
        std::chrono::sys_seconds changed{}; ///< added, or given another password
    };
    struct removal {
        std::int64_t id = 0; ///< higher for later ones
        std::string realm{}, name{};
    };

    static database_result<user_database> open(const std::string& path, access, options);
    ~user_database();
    user_database(user_database&&) noexcept;
    user_database& operator=(user_database&&) noexcept;

    [[nodiscard]] database_result<std::optional<user_keys>> find(std::string_view realm, std::string_view name);
    /// By USERHASH, RFC 8489, 14.4. A database of version 1 has none: nobody is found.
    [[nodiscard]] database_result<std::optional<known_user>> find(std::string_view realm,
                                                                  const std::array<std::byte, 32>& userhash);
    /// False: there is such a user already, and nothing is changed.
    [[nodiscard]] database_result<bool> add(std::string_view realm, std::string_view name, const user_keys&);
    /// False: there is no such user.
    [[nodiscard]] database_result<bool> change_keys(std::string_view realm, std::string_view name, const user_keys&);
    [[nodiscard]] database_result<bool> remove(std::string_view realm, std::string_view name);
    /// By realm and name. Without a realm: of all.
    [[nodiscard]] database_result<std::vector<user>> users(std::optional<std::string_view> realm = {});
    [[nodiscard]] database_result<std::vector<std::string>> realms();

    /// Changes whenever another connection has changed something.
    [[nodiscard]] database_result<std::int64_t> generation();
    /// Users that were removed after the removal with this id; the latest 100 000 are known.
    [[nodiscard]] database_result<std::vector<removal>> removals_after(std::int64_t id);
    [[nodiscard]] database_result<std::int64_t> last_removal();

    /// Whether the path names another file by now, none at all, or one that was written to from outside: then this
    /// connection shows what is no more. A system call.
    [[nodiscard]] bool outdated() const noexcept;

private:
    struct state;
    explicit user_database(std::unique_ptr<state>) noexcept;
    std::unique_ptr<state> state_;
};

} // namespace turnd
