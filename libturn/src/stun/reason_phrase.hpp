#pragma once
/// The words that go with an ERROR-CODE: RFC 8489, 14.8, RFC 8656, 19 and RFC 6062, 6.3.

#include <string_view>

namespace turn::stun {

/// Empty for a code that none of them names.
constexpr std::string_view reason_phrase(int code) noexcept {
    switch (code) {
    case 300:
        return "Try Alternate";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized"; // RFC 5389's name: the shorter, and what operators search for
    case 403:
        return "Forbidden";
    case 420:
        return "Unknown Attribute";
    case 431:
        return "Integrity Check Failure"; // the name the field knows it by
    case 437:
        return "Allocation Mismatch";
    case 438:
        return "Stale Nonce";
    case 440:
        return "Address Family not Supported";
    case 441:
        return "Wrong Credentials";
    case 442:
        return "Unsupported Transport Protocol";
    case 443:
        return "Peer Address Family Mismatch";
    case 446:
        return "Connection Already Exists";
    case 447:
        return "Connection Timeout or Failure";
    case 486:
        return "Allocation Quota Reached";
    case 500:
        return "Server Error";
    case 508:
        return "Insufficient Capacity";
    default:
        return {};
    }
}

} // namespace turn::stun
