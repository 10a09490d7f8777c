#include "turnctl/check/check.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "turn/peer_policy.hpp"
#include "turnctl/check/explain.hpp"
#include "turnctl/check/relayed_echo.hpp"
#include "turnctl/check/resolve.hpp"

namespace turnctl::check {
namespace {

using turn::client;
using turn::transport;
using turn::transport_address;
using kind = trouble::kind;

/// Of one name; more would make the check of a dead server last too long.
constexpr std::size_t most_addresses = 4;
/// More patience than that nobody gets: for servers that answer, but always late.
constexpr int most_steps = 20;
constexpr std::int64_t certificate_warning_days = 14;
constexpr std::uint16_t unauthorized = 401;

transport protocol_of(const turn::uri& u) {
    if (u.is_secure()) return u.transport_or_default() == "udp" ? transport::dtls : transport::tls;
    return u.transport_or_default() == "tcp" ? transport::tcp : transport::udp;
}

bool relays(const turn::uri& u) {
    return u.scheme == turn::uri_scheme::turn || u.scheme == turn::uri_scheme::turns;
}

bool is_public(const transport_address& a) {
    return turn::authorize_peer({}, a).allowed;
}

/// Whether somebody answered with STUN, however unfriendly.
bool answered(const trouble& t) {
    return t.what == kind::answered || t.what == kind::unusable;
}

class examination {
public:
    examination(const target& t, const check_options& o) : target_(t), options_(o), protocol_(protocol_of(t.server)) {
        report_.uri = t.text;
        report_.transport = name(protocol_);
    }

    report run() {
        const auto addresses = resolve_name();
        reach_any(addresses);
        if (!report_.reachable || !relays(target_.server)) return std::move(report_);
        if (!allocate()) return std::move(report_);
        judge_relay();
        echo();
        end();
        return std::move(report_);
    }

private:
    std::vector<transport_address> resolve_name() {
        if (const auto address = target_.server.address()) {
            done(step::resolve);
            return {address->with_port(target_.server.port_or_default())};
        }
        auto found = resolve(target_.server.host, target_.server.port_or_default(), options_.patience);
        if (!found) {
            report_.of(step::resolve) = outcome::failed;
            note({.code = "dns-failure",
                  .where = step::resolve,
                  .what = fmt::format("the name {} leads to no address: {}", target_.server.host, found.error()),
                  .remedy = "correct the name in the URI, or its entry in the DNS"});
            return {};
        }
        done(step::resolve);
        if (found->size() > most_addresses) found->resize(most_addresses);
        return std::move(*found);
    }

    /// The first address that answers is the one that is checked further.
    void reach_any(const std::vector<transport_address>& addresses) {
        std::vector<finding> silent;
        for (const transport_address& a : addresses) {
            report_.server = a;
            report_.of(step::connect) = report_.of(step::binding) = outcome::not_tried;
            if (auto f = reach(a)) {
                silent.push_back(std::move(*f));
                if (report_.reachable) break; // it spoke, and what it said was no
                continue;
            }
            for (finding& f : silent) { // another address does answer
                f.weight = f.code == "unreachable" ? severity::note : severity::warning;
                f.what = "one of the name's addresses: " + f.what;
            }
            break;
        }
        for (finding& f : silent) note(std::move(f));
    }

    /// Connect and Binding. A TURN server need not answer Binding: then an Allocate shows whether it is there.
    std::optional<finding> reach(const transport_address& a) {
        auto opened = server_link::open(link_to(a, protocol_), deadline());
        if (!opened) {
            report_.of(step::connect) = outcome::failed;
            return unreachable(step::connect, opened.error(), a);
        }
        done(step::connect);
        judge_certificate(**opened);
        talk_.emplace(std::move(*opened), a, target_.user, options_.patience, last_);
        const auto mapped = talk_->bind();
        if (mapped) {
            done(step::binding);
            heard_from(*talk_, mapped->address);
            return std::nullopt;
        }
        report_.of(step::binding) = outcome::failed;
        if (mapped.error().what == kind::silence && relays(target_.server) && allocates_without_binding(a)) return {};
        report_.reachable = answered(mapped.error());
        return unreachable(step::binding, mapped.error(), a);
    }

    bool allocates_without_binding(const transport_address& a) {
        const auto allocated = talk_->allocate();
        if (!allocated && !answered(allocated.error())) return false;
        if (allocated) static_cast<void>(talk_->end());
        heard_from(*talk_, allocated ? std::optional(allocated->mapped) : std::nullopt);
        note({.weight = severity::note,
              .code = "no-binding",
              .where = step::binding,
              .what = "the server answers no Binding requests, so it is no STUN server",
              .remedy = "nothing, unless clients are to use it as stun:"});
        auto again = server_link::open(link_to(a, protocol_), deadline()); // a fresh port for the Allocate that counts
        if (!again) return false;
        talk_.emplace(std::move(*again), a, target_.user, options_.patience, last_);
        return true;
    }

    void heard_from(const conversation& talk, std::optional<transport_address> mapped) {
        report_.reachable = true;
        report_.round_trip_ms = talk.round_trip().count();
        report_.mapped = mapped;
    }

    /// Silence over one of UDP and TCP says more when the other answers.
    finding unreachable(step where, const trouble& t, const transport_address& a) {
        finding f = explain_here(where, t);
        const bool blocked = t.what == kind::silence || t.what == kind::refused || t.what == kind::system;
        if (!blocked || is_secure(protocol_)) return f;
        const transport other = protocol_ == transport::udp ? transport::tcp : transport::udp;
        if (!answers_over(other, a)) return f;
        const bool udp = protocol_ == transport::udp, dropped = t.what != kind::refused;
        const std::string_view mine = udp ? "UDP" : "TCP", open = udp ? "TCP" : "UDP";
        f.code = udp ? "udp-blocked" : "tcp-blocked";
        f.what = fmt::format("{} {} but {} open: the server answers at {} over {}", mine,
                             dropped ? "blocked" : "refused", open, a.to_string(), open);
        f.remedy = fmt::format("let {} {} {}; {}", dropped ? "the firewalls on the way pass" : "the server listen on",
                               mine, dropped ? "to that port" : "as well",
                               udp ? "until then clients need ?transport=tcp in the URI"
                                   : "clients whose own firewalls block UDP need it");
        return f;
    }

    [[nodiscard]] bool answers_over(transport protocol, const transport_address& a) const {
        auto opened = server_link::open(link_to(a, protocol), deadline());
        if (!opened) return false;
        conversation talk(std::move(*opened), a, {}, options_.patience, last_);
        const auto mapped = talk.bind();
        return mapped || answered(mapped.error());
    }

    void judge_certificate(const server_link& link) {
        if (!is_secure(protocol_)) return;
        const auto now = std::chrono::floor<std::chrono::seconds>(options_.now.time_since_epoch()).count();
        report_.certificate_seconds = link.certificate_ends() - now;
        const std::int64_t days = *report_.certificate_seconds / 86'400;
        if (link.distrust() != turn::net::tls_distrust::none) { // and it was let pass
            finding f = explain_here(step::connect, {.what = kind::certificate, .distrust = link.distrust()});
            f.weight = severity::note;
            note(std::move(f));
        } else if (days < certificate_warning_days) {
            note({.weight = severity::warning,
                  .code = "certificate-ends-soon",
                  .where = step::connect,
                  .what = fmt::format("the server's certificate ends in {} days", days),
                  .remedy = "renew it, and find out why that has not happened by itself"});
        }
    }

    bool allocate() {
        auto allocated = talk_->allocate();
        // A NAT may have given us the port of a client that has just left. RFC 8656, 7.4.
        if (!allocated && allocated.error().code == 437) {
            if (auto again = server_link::open(link_to(*report_.server, protocol_), deadline())) {
                talk_.emplace(std::move(*again), *report_.server, target_.user, options_.patience, last_);
                allocated = talk_->allocate();
            }
        }
        report_.realm = talk_->realm();
        if (allocated) {
            done(step::allocate);
            report_.relayed = allocated->relayed;
            report_.lifetime_seconds = allocated->lifetime.count();
            if (!report_.mapped) report_.mapped = allocated->mapped;
            return true;
        }
        const trouble& t = allocated.error();
        if (target_.user.username.empty() && t.code == unauthorized) {
            note({.weight = severity::note,
                  .code = "credentials-needed",
                  .where = step::allocate,
                  .error_code = t.code,
                  .what = "the server is there and asks for credentials; relaying was not tried",
                  .remedy = "give --user and --password-file to check relaying, too"});
            return false;
        }
        failed(step::allocate, t);
        if (t.what == kind::silence) {
            finding& f = report_.findings.back();
            f.code = "stun-only";
            f.what = "the server answers Binding, but not Allocate: it serves STUN only";
            f.remedy = "switch relaying on there (turnd: give it a realm and credentials), or use a stun: URI; if it "
                       "should relay, its user database may hang: look at its log";
        }
        return false;
    }

    void judge_relay() {
        if (target_.user.username.empty())
            note({.weight = severity::warning,
                  .code = "open-relay",
                  .where = step::allocate,
                  .what = "the server relays for everybody: it asked for no credentials",
                  .remedy = "make it ask for credentials, unless only trusted clients can reach it"});
        if (report_.mapped && is_public(*report_.mapped) && !is_public(*report_.relayed))
            note(
                {.weight = severity::warning,
                 .code = "relay-address-private",
                 .where = step::allocate,
                 .what = fmt::format("we reach the server from a public address, but it relays at {}, where peers "
                                     "outside cannot reach it",
                                     report_.relayed->ip_to_string()),
                 .remedy = "tell it its public address (turnd: --relay-address ADDR=ADVERTISED; coturn: external-ip)"});
    }

    /// First through the network, as peers come. What that cannot show, two relays of the server may.
    void echo() {
        std::optional<echo_result> outside;
        if (report_.mapped && report_.mapped->family == report_.relayed->family)
            outside = echo_by_own_socket(*talk_, *report_.relayed, *report_.mapped, options_.patience / 2);
        if (outside && outside->good()) return echoed(echo_peer::own_socket);
        auto second = second_client();
        if (!second) return not_echoed(outside, second.error());
        const echo_result inside =
            echo_by_second_relay(*talk_, *report_.relayed, *second->talk, second->relayed, options_.patience);
        static_cast<void>(second->talk->end());
        if (!inside.good()) return not_echoed(std::nullopt, inside);
        echoed(echo_peer::second_relay);
        if (outside) explain_difference(*outside);
    }

    struct companion {
        std::unique_ptr<conversation> talk{};
        transport_address relayed{};
    };
    /// Errors: what stopped it, in step allocate.
    turn::result<companion, echo_result> second_client() {
        auto opened = server_link::open(link_to(*report_.server, protocol_), deadline());
        if (!opened) return echo_result{step::allocate, opened.error()};
        companion second{std::make_unique<conversation>(std::move(*opened), *report_.server, target_.user,
                                                        options_.patience, last_)};
        const auto allocated = second.talk->allocate();
        if (!allocated) return echo_result{step::allocate, allocated.error()};
        second.relayed = allocated->relayed;
        return second;
    }

    void echoed(echo_peer by) {
        report_.peer = by;
        for (const step s : {step::permission, step::channel, step::echo}) done(s);
    }

    /// The relays reach each other, but our socket is no peer for them.
    void explain_difference(const echo_result& outside) {
        if (outside.stopped->what != kind::silence) {
            finding f = explain_here(outside.reached, *outside.stopped);
            f.weight = severity::note;
            f.what = fmt::format("this machine cannot be a peer, so two relays of the server were used: {}", f.what);
            f.remedy = "nothing, unless peers at such addresses are to be reached; the relay ports were not tried from "
                       "outside";
            return note(std::move(f));
        }
        note({.weight = severity::warning,
              .code = "relay-ports-unreachable",
              .where = step::echo,
              .what = fmt::format("the server relays within itself, but nothing passes between this machine and its "
                                  "relay port {}",
                                  report_.relayed->to_string()),
              .remedy = "let the firewalls in front of the server pass UDP to its range of relay ports; if only this "
                        "machine's side drops UDP, check from elsewhere"});
    }

    /// Neither way worked. `first` explains best where there is one: the second needs a second allocation.
    void not_echoed(const std::optional<echo_result>& first, const echo_result& second) {
        const bool no_second = second.reached == step::allocate;
        const echo_result& shown = no_second && first ? *first : second;
        const step where = std::max(shown.reached, step::permission);
        for (const step s : {step::permission, step::channel, step::echo})
            report_.of(s) = s < where ? outcome::good : s == where ? outcome::failed : outcome::not_tried;
        finding f = explain_here(where, *shown.stopped);
        if (f.code == "peer-denied" || no_second) f.weight = severity::warning; // it may relay to others
        if (shown.stopped->what == kind::silence && where == step::echo) {
            f.code = "echo-lost";
            f.what = fmt::format("the server accepted everything, but nothing comes back through its relay at {}",
                                 report_.relayed->to_string());
            f.remedy = "see that UDP passes to and from its range of relay ports; behind a static NAT, that the server "
                       "is told its public address and that the NAT leads inner hosts to it";
        }
        if (no_second)
            f.what +=
                fmt::format("; two relays could not be tried: {}", explain_here(step::allocate, *second.stopped).what);
        note(std::move(f));
    }

    void end() {
        const auto ended = talk_->end();
        if (ended) return done(step::end);
        failed(step::end, ended.error());
        finding& f = report_.findings.back();
        f.weight = severity::warning;
        f.what = "the allocation could not be ended and stays until it expires: " + f.what;
    }

    [[nodiscard]] link_options link_to(const transport_address& a, transport protocol) const {
        return {
            .protocol = protocol, .server = a, .host = target_.server.host, .tls = options_.tls, .dtls = options_.dtls};
    }
    [[nodiscard]] turn::time_point deadline() const {
        return std::min(std::chrono::steady_clock::now() + options_.patience, last_);
    }

    [[nodiscard]] finding explain_here(step where, const trouble& t) const {
        return explain(where, t,
                       {.server = target_.server,
                        .address = report_.server ? report_.server->to_string() : std::string(),
                        .username = target_.user.username,
                        .realm = talk_ ? std::string(talk_->realm()) : std::string()});
    }
    void done(step s) { report_.of(s) = outcome::good; }
    void failed(step s, const trouble& t) {
        report_.of(s) = outcome::failed;
        note(explain_here(s, t));
    }
    void note(finding f) { report_.findings.push_back(std::move(f)); }

    const target& target_;
    const check_options& options_;
    transport protocol_;
    turn::time_point last_ = std::chrono::steady_clock::now() + most_steps * options_.patience;
    report report_{};
    std::optional<conversation> talk_{};
};

} // namespace

report check_server(const target& t, const check_options& o) {
    return examination(t, o).run();
}

} // namespace turnctl::check
