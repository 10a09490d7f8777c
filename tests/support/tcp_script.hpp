#pragma once
/// Random life at TCP relays (RFC 6062): connections of clients and peers come and go, ids are bound, guessed, stolen
/// and used twice, drawn from a source of choices. A second book of which id is good for whom says what must come of
/// it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "support/relay_script.hpp"
#include "support/tcp_world.hpp"

namespace turn::test {

class tcp_script {
public:
    explicit tcp_script(choices&);

    /// Throws invariant_violation when the relay did what it must not.
    void step();
    /// Ends everything and checks that nothing is left.
    void finish();

    [[nodiscard]] std::size_t bound() const noexcept { return bound_; }     ///< connections, ever
    [[nodiscard]] std::size_t refused() const noexcept { return refused_; } ///< attempts to bind, ever

private:
    /// An id the relay has given to somebody.
    struct given {
        peer_connection connection{};
        std::uint64_t serial = 0; ///< of the connection: its name may be another's by now
        std::string user{};
        bool used = false;
    };
    struct person {
        tcp_client at;
        bool has_allocation = false;
    };

    void come();
    void allocate(person&);
    void connect(person&);
    void peer_answers();
    void peer_calls();
    void bind();
    void send_noise(person&);
    void leave(std::size_t who);
    void pass_time();
    void change_policy();
    void hear_attempts();

    void remember(connection_id, const given&);
    [[nodiscard]] person& anybody();
    [[nodiscard]] person& somebody_with_an_allocation();
    [[nodiscard]] transport_address any_peer();
    [[nodiscard]] connection_id any_id();
    [[nodiscard]] bool is_good(connection_id, const person&) const;
    [[nodiscard]] std::uint64_t serial_of(peer_connection) const;
    void forget_clients_that_left();
    bool one_in(std::uint64_t n) { return choose_->below(n) == 0; }

    choices* choose_;
    tcp_world world_;
    std::vector<person> people_{};
    std::map<std::uint32_t, given> ids_{};
    std::vector<std::uint32_t> recent_{}; ///< the last of them
    struct asked {
        peer_connection connection;
        std::uint64_t serial;
        stun::transaction_id request;
        socket_id by;
        std::string user;
    };
    std::vector<asked> under_way_{};
    std::size_t bound_ = 0, refused_ = 0;
};

} // namespace turn::test
