#include "net/tls_hello_guard.hpp"

#include <algorithm>

namespace turn::net {

namespace {

constexpr std::uint8_t change_cipher_spec = 20; // content types
constexpr std::uint8_t handshake = 22;
constexpr std::uint8_t client_hello = 1;

} // namespace

bool tls_hello_guard::admits(bytes stream, bool tls_1_2) noexcept {
    while (!over_ && !stream.empty()) {
        if (record_left_ == 0) {
            record_header_[gathered_++] = std::to_integer<std::uint8_t>(stream.front());
            stream = stream.subspan(1);
            if (gathered_ == record_header_.size()) begin_record(tls_1_2);
            continue;
        }
        const bytes part = stream.first(std::min(record_left_, stream.size()));
        stream = stream.subspan(part.size());
        record_left_ -= part.size();
        if (record_header_[0] == handshake && !read_handshake(part)) return false;
    }
    return true;
}

void tls_hello_guard::begin_record(bool tls_1_2) noexcept {
    gathered_ = 0;
    record_left_ = std::size_t{record_header_[3]} << 8 | record_header_[4];
    if (record_header_[0] == change_cipher_spec)
        changed_cipher_ = true; // RFC 8446, D.4: in TLS 1.3 it means nothing
    else if (record_header_[0] != handshake || (changed_cipher_ && tls_1_2))
        over_ = true;
}

bool tls_hello_guard::read_handshake(bytes part) noexcept {
    while (!over_ && !part.empty()) {
        if (message_left_ != 0) {
            const std::size_t skipped = std::min(message_left_, part.size());
            message_left_ -= skipped;
            part = part.subspan(skipped);
            continue;
        }
        message_header_[message_gathered_++] = std::to_integer<std::uint8_t>(part.front());
        part = part.subspan(1);
        if (message_gathered_ < message_header_.size()) continue;
        message_gathered_ = 0;
        message_left_ =
            std::size_t{message_header_[1]} << 16 | std::size_t{message_header_[2]} << 8 | message_header_[3];
        over_ = message_header_[0] != client_hello;
        if (!over_ && message_left_ > largest_hello) return false;
    }
    return true;
}

} // namespace turn::net
