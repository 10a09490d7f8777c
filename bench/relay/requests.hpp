#pragma once
/// The workloads that are answered: Binding requests, and allocations that are made and ended, some a second or as fast
/// as it goes.

#include <optional>
#include <vector>

#include "outcome.hpp"
#include "pace.hpp"
#include "sockets.hpp"
#include "turn/client.hpp"
#include "window.hpp"

namespace turn::bench {

class requests final : public load {
public:
    explicit requests(const load_options&);

    void prepare() override {}
    void begin(time_point now) override { pace_.emplace(options_.rate, now); }
    bool step(time_point now) override;
    void open_window() override;
    void close_window() override;
    bool rest(time_point now) override;
    void watch(std::vector<pollfd>& ready) const override { io_.watch(ready); }
    /// What was measured.
    outcome end();
    /// As many cycles as the options say, as fast as they are answered, and the server's memory before and after them.
    /// Throws trouble.
    outcome churn();

private:
    /// A client with at most one unit under way.
    struct slot {
        socket_id via{};
        client who;
        time_point begun{}; ///< {}: idle
    };

    bool begin_due();
    std::uint64_t begin_some(std::uint64_t most, time_point now);
    void cycles(std::uint64_t count);
    void tick_when_due(time_point now);
    [[nodiscard]] bool all_idle() const noexcept { return idle_.size() == slots_.size(); }
    void begin(slot&, time_point now);
    bool hear();
    void react(slot&, const client::event&, time_point now);
    void finish(slot&, time_point now, bool well);
    void fail(slot&, const client::failed&, time_point now);
    void tick(time_point now);
    [[nodiscard]] client stranger(socket_id via) const;
    socket_id open(std::uint32_t owner);

    const load_options& options_;
    sockets io_;
    outbox out_;
    std::vector<slot> slots_;
    std::vector<std::uint32_t> idle_;   ///< slots, those idle for longest first
    std::vector<std::uint32_t> owners_; ///< by socket: its slot
    time_point next_tick_{};
    std::optional<pace> pace_{};       ///< none: as fast as it goes
    std::uint64_t skipped_before_ = 0; ///< the window
    outcome result_{};
};

} // namespace turn::bench
