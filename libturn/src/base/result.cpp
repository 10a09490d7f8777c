#include "turn/result.hpp"

namespace turn {

const char* message(errc e) noexcept {
    switch (e) {
    case errc::truncated:
        return "the bytes end inside a header, attribute or payload";
    case errc::not_stun:
        return "not a STUN message";
    case errc::bad_attribute:
        return "an attribute has a length or value its type does not allow";
    case errc::missing_attribute:
        return "a required attribute is absent";
    case errc::integrity_mismatch:
        return "MESSAGE-INTEGRITY or FINGERPRINT does not match";
    case errc::no_capacity:
        return "no room left";
    case errc::invalid_text:
        return "text of an invalid form";
    case errc::not_found:
        return "not found";
    case errc::io:
        return "the operating system refused";
    }
    return "unknown error";
}

} // namespace turn
