#include "options.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <CLI/CLI.hpp>

#include "payload.hpp"

namespace turn::bench {
namespace {

struct preset {
    workload work;
    std::string_view name;
    std::size_t clients, size, burst;
    double rate;
};
// Video: 30 pictures a second of ten packets. One flow: what is under way stays far below a socket's buffer, so that
// nothing is lost.
constexpr std::array presets{
    preset{workload::audio, "audio", 1000, 160, 1, 50}, //
    preset{workload::indications, "indications", 1000, 160, 1, 50},
    preset{workload::video, "video", 50, 1200, 10, 300},    //
    preset{workload::flow, "flow", 1, 1200, 32, 0},         //
    preset{workload::flood, "flood", 50, 160, 1, 200},      //
    preset{workload::mix, "mix", 500, 160, 1, 50},          //
    preset{workload::binding, "binding", 200, 0, 1, 20000}, //
    preset{workload::allocate, "allocate", 200, 0, 1, 1000},
    preset{workload::memory, "memory", 5000, 0, 1, 0},
    preset{workload::churn, "churn", 64, 0, 1, 0},
    preset{workload::tcp_relay, "tcp-relay", 1, 0, 1, 0},
};

const preset& preset_of(workload w) noexcept {
    return *std::ranges::find(presets, w, &preset::work);
}

transport_address parse_server(const std::string& option, const std::string& text) {
    const auto address = transport_address::parse(text);
    if (!address || !address->is_ipv4() || address->ip[0] != 127 || address->port == 0)
        throw CLI::ValidationError(option, "not an ADDRESS:PORT in 127.0.0.0/8: " + text);
    return *address;
}

} // namespace

std::string_view name(workload w) noexcept {
    return preset_of(w).name;
}

parsed_options parse_options(int argc, char** argv) {
    CLI::App app("turn-load sends verified traffic through a TURN server and measures the server's CPU time.\n"
                 "Prints one JSON object. Exit status: 0, or 1 when a payload was wrong, something failed or nothing "
                 "arrived.",
                 "turn-load");
    parsed_options p;
    load_options& o = p.options;
    std::string server, tcp_server;
    double warm_up = 1, window = 4;

    const std::map<std::string, target> targets{{"turn", target::turn}, {"floor", target::floor}};
    std::map<std::string, workload> workloads;
    for (const preset& each : presets) workloads.emplace(each.name, each.work);
    app.add_option("workload", o.work, "What to send")->required()->transform(CLI::Transformer(workloads));
    app.add_option("--server", server, "ADDRESS:PORT of the server, in 127.0.0.0/8")->required();
    app.add_option("--tcp-server", tcp_server, "ADDRESS:PORT for the TCP clients of a mix [--server]");
    app.add_option("--target", o.at, "turn, or floor for turn-floor")->transform(CLI::Transformer(targets));
    app.add_option("--pid", o.pid, "The server's process, whose CPU time is measured")->check(CLI::Range(1, 1 << 22));
    app.add_option("--threads-named", o.threads_named, "Only of its threads whose name begins so (turnd: turn-shard)");
    app.add_option("--user", o.username, "USERNAME");
    app.add_option("--password", o.password, "Password");
    auto* const clients = app.add_option("--clients", o.clients, "Clients")->check(CLI::Range(1, 60000));
    app.add_option("--peers", o.peers, "Sockets the peers share [one for each client, at most 64]");
    auto* const size =
        app.add_option("--size", o.size, "Bytes in a payload")->check(CLI::Range(smallest_payload, largest_payload));
    auto* const burst = app.add_option("--burst", o.burst, "Packets sent at once")->check(CLI::Range(1, 64));
    auto* const rate = app.add_option("--rate", o.rate,
                                      "Packets a second of each client and direction; for binding and allocate, units "
                                      "of all clients; 0: as many as return")
                           ->check(CLI::NonNegativeNumber);
    app.add_option("--flood-rate", o.flood_rate, "Packets a second of the client that floods beside the others [50000]")
        ->check(CLI::PositiveNumber);
    app.add_option("--cycles", o.cycles, "Allocations that churn makes and ends, after a warm-up of 1000 [1000000]")
        ->check(CLI::Range(1, 1'000'000'000));
    app.add_option("--bytes", o.bytes, "What tcp-relay sends each way, over all of its clients [4000000000]")
        ->check(CLI::Range(1'000'000LL, 1'000'000'000'000LL));
    app.add_flag("--segmentation", o.segmentation, "GSO and GRO at our ends");
    const std::map<std::string, transport> transports{
        {"udp", transport::udp}, {"tcp", transport::tcp}, {"tls", transport::tls}};
    app.add_option("--client", o.client, "How clients reach the server: udp, tcp or tls [udp]")
        ->transform(CLI::Transformer(transports));
    app.add_option("--ca", o.ca_file,
                   "FILE of certificates that vouch for the server's; without, TLS clients take any");
    app.add_option("--warm-up", warm_up, "Seconds before the window")->check(CLI::Range(0.0, 60.0));
    app.add_option("--window", window, "Seconds that are measured")->check(CLI::Range(0.1, 600.0));
    try {
        app.parse(argc, argv);
        o.server = parse_server("--server", server);
        if (!tcp_server.empty()) o.tcp_server = parse_server("--tcp-server", tcp_server);
        if (o.at == target::floor && (!o.relays() || o.work == workload::mix) && o.work != workload::tcp_relay)
            throw CLI::ValidationError("--target", "the floor answers no requests");
        if ((o.work == workload::memory || o.work == workload::churn) && o.pid == 0)
            throw CLI::ValidationError("--pid", "needed: whose memory is measured?");
        const bool floor_with_tls = o.at == target::floor && o.client == transport::tls;
        if (o.client != transport::udp && (floor_with_tls || !o.relays() || o.work == workload::mix))
            throw CLI::ValidationError("--client", "streams are for what is relayed, and no floor has TLS");
    } catch (const CLI::ParseError& e) {
        p.done = true;
        p.status = app.exit(e) == 0 ? 0 : 2;
        return p;
    }

    if (o.work == workload::tcp_relay) o.client = transport::tcp; // RFC 6062 has no other
    const preset& usual = preset_of(o.work);
    if (clients->empty()) o.clients = usual.clients;
    if (size->empty()) o.size = usual.size;
    if (burst->empty()) o.burst = usual.burst;
    if (rate->empty()) o.rate = usual.rate;
    if ((!o.relays() || o.work == workload::flood || o.work == workload::mix) && o.rate <= 0) o.rate = usual.rate;
    o.peers = std::clamp<std::size_t>(o.peers == 0 ? 64 : o.peers, 1, o.clients);
    const auto milliseconds = [](double seconds) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
    };
    o.warm_up = milliseconds(warm_up);
    o.window = milliseconds(window);
    return p;
}

} // namespace turn::bench
