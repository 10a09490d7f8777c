/// URIs: whatever is taken can be written and read again, and has no character that would mean something to a resolver,
/// a shell or another parser. RFC 7064, RFC 7065.

#include <algorithm>
#include <string_view>

#include "fuzz.hpp"
#include "turn/uri.hpp"

using namespace turn;
using fuzz::require;

namespace {

bool plain(std::string_view text, std::string_view also) {
    return std::ranges::all_of(
        text, [also](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != also.npos; });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto u = uri::parse(text);
    if (!u) {
        require(u.error() == errc::invalid_text);
        return 0;
    }
    require(!u->host.empty() && plain(u->host, u->address() ? ".:" : "-._~"));
    require(plain(u->transport, "-._~"));
    require(u->host.size() + u->transport.size() < size || u->address());
    require(u->port_or_default() != 0 && !u->transport_or_default().empty());

    const auto written = u->to_string();
    const auto again = uri::parse(written);
    require(again && *again == *u);
    require(again->to_string() == written);
    require(again->address() == u->address());
    return 0;
}
