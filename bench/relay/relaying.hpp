#pragma once
/// The workloads that are relayed: packets both ways over all flows, each verified.

#include <optional>
#include <vector>

#include "arrivals.hpp"
#include "flows.hpp"
#include "outcome.hpp"
#include "pace.hpp"
#include "payload.hpp"
#include "window.hpp"

namespace turn::bench {

class relaying final : public load {
public:
    explicit relaying(const load_options&);

    /// All clients join.
    void prepare() override { flows_.join(); }
    void begin(time_point now) override;
    bool step(time_point now) override;
    void open_window() override;
    void close_window() override;
    bool rest(time_point now) override;
    void watch(std::vector<pollfd>& ready) const override { flows_.watch(ready); }
    /// All clients leave. What was measured. Throws trouble.
    outcome end();

private:
    /// One direction of a flow.
    struct lane {
        std::uint64_t sent = 0;
        std::uint64_t under_way = 0;
        std::uint64_t sent_in_window = 0;
        std::uint64_t arrived_of_window = 0; ///< of those, ever
        arrivals heard{};
    };

    /// One round: at most an outbox full of what is due. False when there was nothing.
    bool send_round(time_point now);
    bool send_due(pace&);
    bool send_flood(pace&);
    bool refill();
    void send_burst(std::uint32_t flow, direction way);
    void send_one(std::uint32_t flow, direction way);
    bool hear();
    void heard(const flows::arrival&, time_point now);
    void give_up_on_silence(time_point now);
    [[nodiscard]] fairness fairness_of_lanes() const;
    /// The one behind the equals.
    [[nodiscard]] bool floods(std::uint32_t flow) const noexcept { return flood_ && flow == options_.clients - 1; }
    [[nodiscard]] std::size_t queued() const noexcept { return out_.datagrams().size() + out_.frames().size(); }
    lane& lane_of(std::uint32_t flow, direction way) noexcept {
        return lanes_[flow * 2 + static_cast<std::size_t>(way)];
    }

    const load_options options_; ///< the client that floods is one of the clients
    flows flows_;
    outbox out_;
    std::vector<std::byte> payloads_; ///< of what is in the outbox, by place
    std::vector<lane> lanes_;
    std::vector<std::uint32_t> order_; ///< in which lanes of equals send: the same mixture every time
    std::optional<pace> pace_{};       ///< none: as much as returns
    std::optional<pace> flood_{};
    time_point last_heard_{};
    std::uint64_t skipped_before_ = 0, flood_skipped_before_ = 0; ///< the window
    std::uint64_t flood_skipped_ = 0;
    outcome result_{};
};

} // namespace turn::bench
