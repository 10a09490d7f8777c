/// A stream cut into messages: however the bytes arrive, the same messages come of them, whole and within bounds. The
/// first byte chooses the rules and how the stream is chopped. RFC 8489, 6.2.2; RFC 8656, 12.5.

#include <algorithm>
#include <vector>

#include "fuzz.hpp"
#include "net/stream_framer.hpp"

using namespace turn;
using fuzz::require;
using net::frame;

namespace {

struct cut_stream {
    std::vector<std::vector<std::byte>> messages{};
    bool garbage = false;
};

/// Hands the bytes over in pieces of `step` bytes and takes off whole messages as they come.
cut_stream cut(bytes all, std::size_t step, const net::frame_rules& rules) {
    cut_stream result;
    std::size_t begin = 0;
    for (std::size_t come = 0; come < all.size() && !result.garbage;) {
        come = std::min(all.size(), come + step);
        for (;;) {
            const bytes received = all.subspan(begin, come - begin);
            const frame f = net::next_frame(received, rules);
            if (f.what == frame::state::garbage) result.garbage = true;
            if (f.what != frame::state::whole) break;
            require(f.size >= 4 && f.size <= received.size() && f.size <= rules.largest);
            require(f.message.data() == received.data());
            require(f.message.size() <= f.size && f.size - f.message.size() < 4);
            result.messages.emplace_back(f.message.begin(), f.message.end());
            begin += f.size;
        }
    }
    return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = 1 + data[0] % 64U;
    const net::frame_rules rules =
        (data[0] & 0x80U) != 0 ? net::frame_rules{} : net::frame_rules{.channel_data = false, .largest = 4096};
    const bytes all = fuzz::as_bytes(data + 1, size - 1);
    const cut_stream at_once = cut(all, all.size() + 1, rules);
    const cut_stream in_pieces = cut(all, step, rules);
    require(at_once.messages == in_pieces.messages);
    require(at_once.garbage == in_pieces.garbage);
    return 0;
}
