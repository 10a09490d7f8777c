#pragma once
/// A request to turnd's HTTP service and its answer, as far as they matter to routes: what tests deal in, too.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace turnd {

struct admin_request {
    std::string method{};        ///< "GET", "HEAD", "POST", ...
    std::string target{};        ///< path and query as they were sent, percent-encoded
    std::string if_none_match{}; ///< the header; empty: none
    bool may_write = false;      ///< came through the unix socket
    bool has_body = false;
};

struct admin_answer {
    int status = 200; ///< of HTTP
    std::string content_type = "application/json";
    std::string body{};
    std::vector<std::pair<std::string, std::string>> headers{};
};

/// {"error": code, "message": ..., "remedy": ...}. What came from outside must be printable() already.
admin_answer admin_error(int status, std::string_view code, std::string_view message, std::string_view remedy = {});

/// A header for every answer.
struct admin_header {
    const char* name;
    const char* value;
};
inline constexpr admin_header admin_headers[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},
};

} // namespace turnd
