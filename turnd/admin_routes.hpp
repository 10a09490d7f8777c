#pragma once
/// What the paths of /api/v1 about relays and the server's life do: called with parameters that belong to them.

#include "admin_service.hpp"
#include "admin_target.hpp"

namespace turnd {

/// GET /api/v1/relays?user=&realm=&client=&limit=
admin_answer list_relays(const admin_world&, const admin_target&);
/// GET /api/v1/relays/ID
admin_answer show_relay(const admin_world&, const admin_target&);
/// GET /api/v1/why?user=U[&realm=R], ?client=IP or ?relay=ID
admin_answer tell_why(const admin_world&, const admin_target&);
/// POST /api/v1/kick?relay=ID or ?user=U[&realm=R]
admin_answer kick(const admin_world&, const admin_target&);
/// POST /api/v1/drain
admin_answer drain(const admin_world&, const admin_target&);
/// POST /api/v1/reload: 422 when the configuration has problems, and nothing has changed.
admin_answer reload(const admin_world&, const admin_target&);
/// POST /api/v1/log-level?level=LEVEL
admin_answer set_log_level(const admin_world&, const admin_target&);

inline constexpr std::string_view relays_path = "/api/v1/relays";
inline constexpr std::size_t relays_shown = 100; ///< unless `limit` says otherwise
inline constexpr std::size_t most_relays_shown = 10'000;

} // namespace turnd
