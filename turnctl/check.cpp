/// turnctl check: any STUN or TURN server, ours or not, and for each failure what it means.

#include <algorithm>
#include <atomic>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "json_text.hpp"
#include "parse_value.hpp"
#include "printable.hpp"
#include "turnctl/api.hpp"
#include "turnctl/check/check.hpp"
#include "turnctl/check/own_turnd.hpp"
#include "turnctl/check/print.hpp"
#include "turnctl/check/targets.hpp"
#include "turnctl/verb.hpp"

namespace turnctl {
namespace {

using namespace std::chrono_literals;
using check::check_options;
using check::report;
using check::target;
using check::who;

/// Servers at a time, so that one dead server does not hold up the others of a list.
constexpr std::size_t most_at_once = 16;

struct options {
    std::vector<std::string> uris{};
    std::string list{};
    std::string user{};
    std::string password_file{};
    std::string authorities{};
    std::string timeout = "5";
    std::string socket{};
    bool insecure = false;
    bool json = false;
};

constexpr const char* footer =
    "Exit status: 0 all is well; 1 it works, but something is missing; 2 it does not do what "
    "its URI promises; 3 nothing\nwas tried. The worst of several servers counts.";

using complaint = std::string;
using outcome_of_reading = turn::result<std::vector<target>, complaint>;

outcome_of_reading read_targets(const options& o) {
    if (o.uris.empty() && o.list.empty()) return complaint("no URI and no --list: nothing to check");
    if (o.user.empty() != o.password_file.empty()) return complaint("--user and --password-file go together");
    who user;
    if (!o.user.empty()) {
        auto read = check::read_user(o.user, o.password_file);
        if (!read) return read.error();
        user = std::move(*read);
    }
    std::vector<target> all;
    for (const std::string& text : o.uris) {
        auto one = check::parse_target(text, user);
        if (!one) return one.error();
        all.push_back(std::move(*one));
    }
    if (!o.list.empty()) {
        auto listed = check::read_list(o.list, user);
        if (!listed) return listed.error();
        all.insert(all.end(), listed->begin(), listed->end());
    }
    if (all.size() > check::most_targets) return fmt::format("more than {} servers", check::most_targets);
    return all;
}

turn::result<check_options, complaint> read_options(const options& o, const std::vector<target>& targets) {
    check_options made;
    const bool bare = !o.timeout.empty() && o.timeout.find_first_not_of("0123456789") == std::string::npos;
    const auto patience = turnd::parse_short_duration(bare ? o.timeout + "s" : o.timeout, 100ms, 60s);
    if (!patience)
        return fmt::format("--timeout \"{}\": {}; seconds, or such as 500ms, at most 60s", turnd::printable(o.timeout),
                           patience.error().what);
    made.patience = *patience;
    const bool secure = std::ranges::any_of(targets, [](const target& t) { return t.server.is_secure(); });
    if (!secure && o.authorities.empty()) return made; // a file that is named has to be good all the same
    using turn::net::tls_client_context;
    const auto proof = o.insecure ? tls_client_context::proof::unneeded : tls_client_context::proof::wanted;
    auto tls = tls_client_context::load(o.authorities, proof);
    if (!tls) return turnd::printable(tls.error());
    made.tls = std::move(*tls);
    auto dtls = tls_client_context::load(o.authorities, proof, tls_client_context::layer::datagrams);
    if (!dtls) return turnd::printable(dtls.error());
    made.dtls = std::move(*dtls);
    return made;
}

/// A report also when this machine fails in the middle, for want of memory or threads.
report check_or_say_why(const target& t, const check_options& o) {
    try {
        return check::check_server(t, o);
    } catch (const std::exception& e) {
        report r{.uri = t.text};
        r.findings.push_back({.code = "system-error", .what = e.what(), .remedy = "look at this machine's limits"});
        return r;
    }
}

/// In the order of the targets.
std::vector<report> check_all(const std::vector<target>& targets, const check_options& o) {
    std::vector<report> reports(targets.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < targets.size(); i = next++) reports[i] = check_or_say_why(targets[i], o);
    };
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(targets.size(), most_at_once); ++i) others.emplace_back(work);
    work();
    others.clear(); // joins
    return reports;
}

/// The status of the turnd behind --socket; an empty one without that flag.
turn::result<nlohmann::ordered_json, complaint> own_status(const options& o) {
    if (o.socket.empty()) return nlohmann::ordered_json();
    auto answer = ask_turnd(o.socket, "GET", "/api/v1/status");
    if (!answer) return answer.error();
    return std::move(answer->body);
}

int run_check(const options& o, console& to) {
    const auto targets = read_targets(o);
    if (!targets) {
        to.err << "turnctl: " << targets.error() << '\n';
        return exit_usage;
    }
    const auto how = read_options(o, *targets);
    if (!how) {
        to.err << "turnctl: " << how.error() << '\n';
        return exit_usage;
    }
    const auto status = own_status(o); // before there is an allocation of ours
    if (!status) to.err << "turnctl: " << status.error() << '\n';
    std::vector<report> reports = check_all(*targets, *how);
    if (status) check::add_allocations(reports, *status);
    auto all = nlohmann::ordered_json::array();
    int worst = status ? exit_good : exit_warning;
    for (const report& r : reports) {
        worst = std::max(worst, static_cast<int>(r.weight()));
        if (o.json)
            all.push_back(check::to_json(r));
        else
            check::print(to.out, r);
    }
    if (o.json) to.out << turnd::json_text(all, 2) << '\n';
    return worst;
}

} // namespace

verb add_check(CLI::App& app) {
    const auto o = std::make_shared<options>();
    CLI::App* command = app.add_subcommand("check", "Check any STUN or TURN server: reachable, allocates, relays");
    command->footer(footer);
    command->add_option("uri", o->uris, "turn:host[:port][?transport=udp|tcp], turns:..., stun:..., stuns:...")
        ->type_name("URI");
    command->add_option("--list", o->list, "File with a URI a line, and where they differ user and password file")
        ->type_name("FILE");
    command->add_option("--user", o->user, "User name; without one only reachability is checked")->type_name("NAME");
    command->add_option("--password-file", o->password_file, "File with the user's password on its first line")
        ->type_name("FILE");
    command->add_option("--ca", o->authorities, "TLS: believe these authorities (PEM) instead of the system's")
        ->type_name("FILE");
    command->add_flag("--insecure", o->insecure, "TLS: go on with a certificate that cannot be verified");
    command->add_option("--timeout", o->timeout, "Seconds that a step may take, or such as 500ms")
        ->type_name("SECONDS")
        ->capture_default_str();
    command->add_option("--socket", o->socket, "Of a turnd on this machine, which tells how many allocations it has")
        ->type_name("PATH");
    command->add_flag("--json", o->json, "A JSON array, an object for each URI");
    return {command, [o](console& to) { return run_check(*o, to); }};
}

} // namespace turnctl
