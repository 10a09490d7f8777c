#include "turn/quota.hpp"

#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace turn {

namespace {

struct user {
    std::string realm, account;
};
struct user_view {
    std::string_view realm, account;
    user_view(std::string_view r, std::string_view a) noexcept : realm(r), account(a) {}
    user_view(const user& u) noexcept : realm(u.realm), account(u.account) {}
};
/// Transparent, so that looking up allocates nothing.
struct user_hash {
    using is_transparent = void;
    std::size_t operator()(const user_view& u) const noexcept {
        const std::hash<std::string_view> hash;
        return hash(u.realm) * 31 + hash(u.account);
    }
};
struct user_equal {
    using is_transparent = void;
    bool operator()(const user_view& a, const user_view& b) const noexcept {
        return a.account == b.account && a.realm == b.realm;
    }
};

} // namespace

struct allocation_quota::state {
    explicit state(limits l) noexcept : allowed(l) {}
    limits allowed;
    mutable std::mutex mutex{};
    std::unordered_map<user, std::size_t, user_hash, user_equal> users{};
    std::size_t total = 0;
};

allocation_quota::allocation_quota(limits allowed) : state_(std::make_unique<state>(allowed)) {}
allocation_quota::~allocation_quota() = default;

reason allocation_quota::acquire(std::string_view realm, std::string_view account, std::size_t user_limit) {
    const std::scoped_lock lock(state_->mutex);
    const std::size_t limit = user_limit != 0 ? user_limit : state_->allowed.per_user;
    if (state_->total >= state_->allowed.total) return reason::quota_total;
    auto found = state_->users.find(user_view(realm, account));
    if (found == state_->users.end())
        found = state_->users.emplace(user{std::string(realm), std::string(account)}, 0).first;
    else if (limit != 0 && found->second >= limit)
        return reason::quota_user;
    ++found->second;
    ++state_->total;
    return reason::none;
}

void allocation_quota::release(std::string_view realm, std::string_view account) noexcept {
    const std::scoped_lock lock(state_->mutex);
    const auto found = state_->users.find(user_view(realm, account));
    if (found == state_->users.end()) return;
    --state_->total;
    if (--found->second == 0) state_->users.erase(found);
}

std::size_t allocation_quota::in_use() const noexcept {
    const std::scoped_lock lock(state_->mutex);
    return state_->total;
}

void allocation_quota::set_limits(limits now) noexcept {
    const std::scoped_lock lock(state_->mutex);
    state_->allowed = now;
}

allocation_quota::limits allocation_quota::allowed() const noexcept {
    const std::scoped_lock lock(state_->mutex);
    return state_->allowed;
}

} // namespace turn
