#include "support/wire.hpp"

#include <cstring>
#include <stdexcept>

#include "base/crypto.hpp"
#include "turn/channel_data.hpp"

namespace turn::test {
namespace {

void append_u16(blob& out, std::size_t value) {
    out.push_back(std::byte(value >> 8 & 0xff));
    out.push_back(std::byte(value & 0xff));
}

} // namespace

blob to_blob(std::string_view text) {
    return to_blob(std::as_bytes(std::span(text)));
}

blob to_blob(bytes data) {
    return {data.begin(), data.end()};
}

std::string to_text(bytes data) {
    std::string text(data.size(), '\0');
    if (!data.empty()) std::memcpy(text.data(), data.data(), data.size());
    return text;
}

message::message(stun::message_class cls, stun::method method, const stun::transaction_id& id)
    : id_(id), method_(method) {
    // RFC 8489, 5: the class bits C1 and C0 lie between the bits of the method.
    const auto m = static_cast<unsigned>(method);
    const auto c = static_cast<unsigned>(cls);
    append_u16(bytes_, (m & 0xf80) << 2 | (m & 0x70) << 1 | (m & 0xf) | (c & 2) << 7 | (c & 1) << 4);
    append_u16(bytes_, 0);
    append_u16(bytes_, stun::magic_cookie >> 16);
    append_u16(bytes_, stun::magic_cookie & 0xffff);
    bytes_.insert(bytes_.end(), id.begin(), id.end());
}

message& message::attribute(std::uint16_t type, bytes value, std::byte padding) {
    append_u16(bytes_, type);
    append_u16(bytes_, value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    while (bytes_.size() % 4 != 0) bytes_.push_back(padding);
    write_length(bytes_.size());
    return *this;
}

message& message::attribute(std::uint16_t type, std::string_view value) {
    return attribute(type, std::as_bytes(std::span(value)));
}

message& message::append(bytes anything) {
    bytes_.insert(bytes_.end(), anything.begin(), anything.end());
    write_length(bytes_.size());
    return *this;
}

message& message::credentials(std::string_view user, std::string_view realm, std::string_view nonce,
                              const stun::credential_key& key) {
    if (!user.empty()) attribute(stun::username::type, user);
    if (!realm.empty()) attribute(stun::realm::type, realm);
    if (!nonce.empty()) attribute(stun::nonce::type, nonce);
    key_ = key;
    signed_ = false;
    return *this;
}

message& message::integrity() {
    if (!key_) throw std::logic_error("a message is signed without credentials");
    signed_ = true;
    return integrity(*key_);
}

message& message::integrity(const stun::credential_key& key) {
    // The length that is signed includes the attribute itself: RFC 8489, 14.5.
    write_length(bytes_.size() + 24);
    const bytes parts[] = {bytes_};
    const auto mac = crypto::hmac_sha1(key.view(), parts);
    signed_ = true;
    return attribute(stun::message_integrity::type, mac);
}

message& message::integrity_sha256() {
    if (!key_) throw std::logic_error("a message is signed without credentials");
    return integrity_sha256(*key_);
}

message& message::integrity_sha256(const stun::credential_key& key, std::size_t size) {
    write_length(bytes_.size() + 4 + size);
    const bytes parts[] = {bytes_};
    const auto mac = crypto::hmac_sha256(key.view(), parts);
    signed_ = true;
    return attribute(stun::message_integrity_sha256::type, bytes(mac).first(size));
}

message& message::fingerprint(std::uint32_t flip) {
    write_length(bytes_.size() + 8);
    const std::uint32_t crc = crypto::crc32(bytes_) ^ 0x5354554eU ^ flip;
    const std::byte value[] = {std::byte(crc >> 24), std::byte(crc >> 16 & 0xff), std::byte(crc >> 8 & 0xff),
                               std::byte(crc & 0xff)};
    return attribute(stun::fingerprint::type, value);
}

void message::cannot_encode(std::uint16_t type) {
    throw std::logic_error("attribute " + std::to_string(type) + " cannot hold this value");
}

void message::write_length(std::size_t total) noexcept {
    const std::size_t length = total - stun::header_size;
    bytes_[2] = std::byte(length >> 8 & 0xff);
    bytes_[3] = std::byte(length & 0xff);
}

int answer::code() const {
    if (raw_.empty()) return -1;
    const auto parsed = stun::message_view::parse(raw_);
    if (!parsed) return -2;
    if (parsed->cls() == stun::message_class::success_response) return 0;
    const auto error = parsed->get<stun::error_code>();
    return error ? error->code : -2;
}

stun::message_view answer::view() const {
    const auto parsed = stun::message_view::parse(raw_);
    if (!parsed) throw std::logic_error(raw_.empty() ? "no answer came" : "the answer is not well-formed");
    return *parsed;
}

bool answer::signed_with(const stun::credential_key& key) const {
    return *this && bool(view().check_integrity(key));
}

blob channel_data_message(std::uint16_t number, bytes payload, std::size_t padding) {
    const auto head = channel_data_header(number, static_cast<std::uint16_t>(payload.size()));
    blob out(head.begin(), head.end());
    out.insert(out.end(), payload.begin(), payload.end());
    out.resize(out.size() + padding);
    return out;
}

} // namespace turn::test
