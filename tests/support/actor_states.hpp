#pragma once
/// What stands behind the handles of actors.hpp.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/actors.hpp"
#include "support/model.hpp"
#include "support/world.hpp"

namespace turn::test {

/// Application data a client heard, by channel and by peer.
struct inbox {
    std::map<std::uint16_t, std::vector<std::string>> channels{};
    std::map<transport_address, std::vector<std::string>, address_order> indications{};

    void arrived(const flight&);
    [[nodiscard]] std::vector<std::string> on_channel(std::uint16_t number) const;
    [[nodiscard]] std::vector<std::string> from_peer(const transport_address&) const;
};

class client_actor::state final : public endpoint {
public:
    state(world&, const transport_address& where, client_options);

    void arrived(const flight&) override;
    [[nodiscard]] time_point next_deadline() const override { return core.next_deadline(); }
    void tick() override;
    [[nodiscard]] bool has_clock() const override { return true; }

    /// Delivers the outbox, waits for the outcome of this transaction: 0, its ERROR-CODE, or -1.
    int outcome(stun::method, const stun::transaction_id&);
    void flush();
    void flush_and_settle() {
        flush();
        world_->settle();
    }
    void send(blob datagram) {
        world_->send({address, core.server(), std::move(datagram), false});
        world_->settle();
    }
    [[nodiscard]] time_point now() const { return world_->now(); }

private:
    struct awaited {
        stun::method method;
        stun::transaction_id id;
    };
    void happened(const client::event&);

    world* world_;
    std::optional<awaited> awaited_{};
    std::optional<int> result_{};

public:
    turn::client core;
    outbox out{16};
    inbox heard{};
    client::allocated last_allocated{};
    transport_address mapped{};
    std::vector<int> failures{};
};

class raw_actor::state final : public endpoint {
public:
    state(world& w, const transport_address& where, const transport_address& speaks_to)
        : endpoint(where), the_world(&w), server(speaks_to) {
        w.join(*this);
    }
    void arrived(const flight& f) override;

    world* the_world;
    transport_address server;
    inbox heard{};
    std::vector<blob> others{};
    std::optional<stun::transaction_id> awaited{};
    std::optional<answer> found{};
    bool remember = true;
};

} // namespace turn::test
