/// ChannelData: what is read lies inside the datagram, and writes back to the same bytes. RFC 8656, 12.4.

#include <algorithm>
#include <vector>

#include "fuzz.hpp"
#include "turn/channel_data.hpp"
#include "turn/stun/message.hpp"

using namespace turn;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const bytes datagram = fuzz::as_bytes(data, size);
    const auto m = channel_data::parse(datagram);
    if (!m) {
        require(m.error() == errc::truncated || m.error() == errc::not_stun);
        return 0;
    }
    require(!stun::message_view::parse(datagram));
    require(is_channel_number(m->number));
    require(m->payload.data() == datagram.data() + channel_data_header_size);
    require(m->payload.size() <= datagram.size() - channel_data_header_size);

    const auto header = channel_data_header(m->number, static_cast<std::uint16_t>(m->payload.size()));
    require(std::ranges::equal(header, datagram.first(channel_data_header_size)));
    std::vector<std::byte> again(header.begin(), header.end());
    again.insert(again.end(), m->payload.begin(), m->payload.end());
    const auto reread = channel_data::parse(again);
    require(reread && reread->number == m->number && std::ranges::equal(reread->payload, m->payload));
    // One byte less than the length says is too little.
    require(m->payload.empty() || !channel_data::parse(bytes(again).first(again.size() - 1)));
    return 0;
}
