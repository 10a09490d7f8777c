#pragma once
/// Who takes part in a relay script: clients that never wait, and peers. Both check every payload they are given.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "support/world.hpp"

namespace turn::test {

/// `size` bytes that tell by themselves whether they arrived whole: a serial number and what follows from it.
blob checkable_payload(std::uint32_t serial, std::size_t size);
/// Throws invariant_violation when a relayed payload is not what checkable_payload() made.
void check_payload(bytes);

class script_peer final : public endpoint {
public:
    using endpoint::endpoint;
    void arrived(const flight& f) override { check_payload(f.data); }
};

class script_client final : public endpoint {
public:
    struct asked {
        stun::transaction_id id{};
        stun::method method{};
        stun::credential_key key{};
        blob raw{};
        bool spoilt = false;
    };
    script_client(const transport_address& where, const listener_options& listener, std::string name)
        : endpoint(where), server(listener.local), realm(listener.realm), username(std::move(name)) {}

    void arrived(const flight&) override;
    void remember(asked);
    [[nodiscard]] const asked* last() const { return count_ == 0 ? nullptr : &recent_[(count_ - 1) % recent_.size()]; }

    transport_address server;
    std::string realm, username;
    std::string nonce{};
    std::vector<transport_address> relayed{};   ///< as told; empty: no allocation as far as it knows
    std::vector<transport_address> permitted{}; ///< asked for with success, perhaps long ago
    std::vector<std::pair<std::uint16_t, transport_address>> channels{};
    std::optional<std::array<std::byte, 8>> token{};

private:
    void answered(const stun::message_view&, const asked&);

    std::array<asked, 16> recent_{};
    std::size_t count_ = 0;
};

} // namespace turn::test
