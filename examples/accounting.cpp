// What each user has relayed, said at the end of each of his allocations. Usage: accounting [LISTEN]
#include "turn/server.hpp"
#include <cinttypes>
#include <cstdio>
#include <map>
#include <mutex>

/// Called on all threads of the server, a few times in an allocation's life and never for a packet.
class accounts final : public turn::observer {
public:
    void allocation_ended(const turn::allocation_info& a, const turn::usage& used,
                          turn::allocation_end) noexcept override {
        const std::lock_guard lock(mutex_);
        account& sum = users_[std::string(a.username)]; // bounded: they are names of users who have a password
        ++sum.allocations;
        sum.packets_up += used.packets_up, sum.bytes_up += used.bytes_up;
        sum.packets_down += used.packets_down, sum.bytes_down += used.bytes_down;
        std::printf("%.*s: %u allocations, up %" PRIu64 " packets %" PRIu64 " bytes, down %" PRIu64 " packets %" PRIu64
                    " bytes\n",
                    static_cast<int>(a.username.size()), a.username.data(), sum.allocations, sum.packets_up,
                    sum.bytes_up, sum.packets_down, sum.bytes_down);
        std::fflush(stdout);
    }

private:
    struct account {
        unsigned allocations = 0;
        std::uint64_t packets_up = 0, bytes_up = 0, packets_down = 0, bytes_down = 0;
    };
    std::mutex mutex_;
    std::map<std::string, account> users_;
};

int main(int argc, char** argv) {
    const auto listen = turn::transport_address::parse(argc > 1 ? argv[1] : "127.0.0.1:3478");
    accounts books; // before the server, so that it outlives it
    turn::server_options options;
    options.events = &books;
    options.realm = "example.org";
    if (listen) options.listeners = {{.local = *listen}}, options.relay_addresses = {{.bind = *listen}};
    options.credentials = [](const turn::credential_question& who, const turn::credential_reply& reply) {
        const auto key = turn::stun::long_term_key(who.algorithm, who.username, who.realm, "secret");
        const bool known = (who.username == "ann" || who.username == "bob") && key;
        reply(known ? turn::credential_answer(turn::credential{*key}) : turn::reason::unknown_user);
    };
    const auto server = turn::server::start(std::move(options));
    if (!server) return std::fprintf(stderr, "%s\n", server.error().what.c_str()), 1;
    std::printf("listening on %s\n", server->description().listeners.front().local.to_string().c_str());
    std::fflush(stdout);
    std::getchar(); // Enter or the end of the input stops it
}
