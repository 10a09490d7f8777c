#include "turn/packet.hpp"

namespace turn {

namespace {

// A relayed packet needs at most a Data indication's head (64 bytes are enough for an IPv6 peer), and there can be one
// in every datagram; control answers share the fixed part.
constexpr std::size_t scratch_per_datagram = 64;
constexpr std::size_t scratch_for_answers = 16 * 1024;
constexpr std::size_t largest_orders = 64;

} // namespace

outbox::outbox(std::size_t max_datagrams) : scratch_(max_datagrams * scratch_per_datagram + scratch_for_answers) {
    datagrams_.reserve(max_datagrams);
    frames_.reserve(max_datagrams);
    orders_.reserve(largest_orders);
}

} // namespace turn
