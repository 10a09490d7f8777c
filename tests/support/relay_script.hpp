#pragma once
/// Random life at a relay: requests good and bad, data, time, losses and changes of mind, drawn from a source of
/// choices: a seeded generator, or the bytes of a fuzzer. The world's invariants judge it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/world.hpp"

namespace turn::test {

/// Where a script takes its decisions from.
class choices {
public:
    virtual ~choices() = default;
    /// A number below `bound`, which is not 0.
    virtual std::uint64_t below(std::uint64_t bound) = 0;
    [[nodiscard]] virtual bool ended() const { return false; }
};

class seeded_choices final : public choices {
public:
    explicit seeded_choices(std::uint64_t seed) : generator_(seed) {}
    std::uint64_t below(std::uint64_t bound) override { return generator_() % bound; }

private:
    std::mt19937_64 generator_;
};

/// Two bytes a decision; when they are used up every decision is 0.
class byte_choices final : public choices {
public:
    explicit byte_choices(bytes data) : data_(data) {}
    std::uint64_t below(std::uint64_t bound) override;
    [[nodiscard]] bool ended() const override { return data_.empty(); }

private:
    bytes data_;
};

class script_client;
class script_peer;

class relay_script {
public:
    /// `compare_every`: how many steps lie between two comparisons of everything the relay holds with the model.
    relay_script(choices&, std::size_t compare_every);
    ~relay_script();

    void step();
    /// Ends everything and checks that nothing is left.
    void finish();

    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
    /// Steps after which the relay had relayed data or answered with success.
    [[nodiscard]] std::uint64_t successful() const noexcept { return successful_; }
    /// Steps by kind, requests by method and result, refusals and drops by reason.
    [[nodiscard]] std::string report() const;

private:
    enum class kind : std::uint8_t {
        channel_data,
        send_indication,
        peer_data,
        burst,
        icmp,
        allocate,
        refresh,
        create_permission,
        channel_bind,
        binding,
        retransmit,
        bad_request,
        bad_packet,
        time,
        circumstances,
        count_
    };

    void act(kind);
    void send_request(script_client&, stun::method);
    message compose(script_client&, stun::method);
    void spoil(script_client&, message&);
    void send_bad_packet(script_client&);
    void peer_sends(std::size_t copies);
    void network_complains();
    void pass_time();
    void change_circumstances();
    [[nodiscard]] script_client& any_client();
    [[nodiscard]] script_client& client_with_allocation();
    [[nodiscard]] transport_address any_peer_address();
    [[nodiscard]] transport_address any_peer_address(const script_client&);
    [[nodiscard]] std::uint64_t successes() const;
    bool one_in(std::uint64_t n) { return choose_->below(n) == 0; }
    blob payload();

    choices* choose_;
    world world_;
    std::vector<std::unique_ptr<script_client>> clients_{};
    std::vector<std::unique_ptr<script_peer>> peers_{};
    std::array<std::uint64_t, static_cast<std::size_t>(kind::count_)> by_kind_{};
    std::uint64_t steps_ = 0, successful_ = 0;
    std::uint32_t payloads_ = 0;
};

} // namespace turn::test
