#include "turnctl/check/explain.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "printable.hpp"

namespace turnctl::check {
namespace {

using kind = trouble::kind;
using turn::net::tls_distrust;
using turnd::printable;

finding make(step where, std::string code, std::string what, std::string remedy) {
    return {.code = std::move(code), .where = where, .what = std::move(what), .remedy = std::move(remedy)};
}

/// "UDP", "TCP", "TLS", "DTLS"
std::string protocol_of(const turn::uri& u) {
    if (u.is_secure()) return u.transport_or_default() == "udp" ? "DTLS" : "TLS";
    return u.transport_or_default() == "tcp" ? "TCP" : "UDP";
}

std::string quoted(const std::string& text) {
    return "\"" + printable(text) + "\"";
}

/// How long ago a time-limited user name ("<unix time>:user") ended.
std::optional<std::int64_t> ended_ago(const std::string& username) {
    const std::size_t size = std::min(username.find(':'), username.size());
    std::int64_t ends = 0;
    const auto [end, error] = std::from_chars(username.data(), username.data() + size, ends);
    constexpr std::int64_t year_2001 = 1'000'000'000; // less is a name made of digits
    if (error != std::errc{} || end != username.data() + size || ends < year_2001) return std::nullopt;
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()).time_since_epoch();
    if (ends >= now.count()) return std::nullopt;
    return now.count() - ends;
}

finding bad_credentials(step where, const trouble& t, const circumstances& c) {
    if (const auto ago = ended_ago(c.username))
        return make(where, "expired",
                    fmt::format("the time-limited user name {} ended {} s ago", quoted(c.username), *ago),
                    "make a new one (turnctl credential), and compare the clocks of this machine and the server");
    if (t.code == 431)
        return make(where, "bad-credentials",
                    fmt::format("the server does not accept the password of {} (integrity check failure; some servers "
                                "say so for unknown users, too)",
                                quoted(c.username)),
                    fmt::format("compare user, password and realm ({}) with the server's user list; with turnd, "
                                "turnctl why user NAME tells which it was",
                                quoted(c.realm)));
    if (c.realm.empty())
        return make(where, "bad-challenge",
                    "the server wants credentials, but does not say for which realm or sends no nonce",
                    "this is a fault of the server: look at its realm setting");
    return make(where, "bad-credentials",
                fmt::format("the server knows no user {} in realm {}, or the password is another", quoted(c.username),
                            quoted(c.realm)),
                "compare user and password with the server's user list (with a shared secret: that both sides have the "
                "same one); with turnd, turnctl why user NAME tells which it was");
}

finding forbidden(step where) {
    if (where == step::permission || where == step::channel || where == step::echo)
        return make(where, "peer-denied", "the server's policy does not let this peer be reached",
                    "if clients are to reach it, allow its address on the server (turnd: --allow-peer)");
    return make(where, "forbidden", "the server understood the request and refuses it for this user or address",
                "look at the server's rules for users and client addresses");
}

finding unknown_answer(step where, std::uint16_t code) {
    return make(where, "refused", fmt::format("the server refused the request with {}", code),
                "look up the code in the server's documentation, and the request in its log");
}

finding answered(step where, const trouble& t, const circumstances& c) {
    switch (t.code) {
    case 300:
        return make(where, "try-alternate", "the server sends its clients to another server",
                    "check the server it names as well; clients that cannot follow stay without a relay");
    case 400:
        return make(where, "bad-request", "the server takes the request for malformed",
                    "something between may change messages; else this is a fault of the server: look at its log");
    case 401:
    case 431:
        return bad_credentials(where, t, c);
    case 403:
        return forbidden(where);
    case 405:
    case 404:
        return make(where, "stun-only", "the server answers STUN, but does not relay",
                    "switch relaying on there, or use a stun: URI");
    case 420:
        return make(where, "unknown-attribute", "the server does not know an attribute that every TURN client sends",
                    "it does not implement RFC 8656 or RFC 5766: update it");
    case 437:
        return make(
            where, "allocation-mismatch",
            where == step::allocate
                ? "the server believes that an allocation of this address and port exists already"
                : "the server has no allocation of this address and port any more, or counts it to another user",
            "try again: another port will be used; if it stays, a NAT or load balancer between changes ports "
            "or sends a client's packets to several servers");
    case 438:
        return make(where, "stale-nonce", "the server calls even the nonce it has just sent stale",
                    "several servers behind one address need the same nonce secret, or a client must stay with one; "
                    "a client's address that changes from packet to packet has the same effect");
    case 440:
        return make(where, "wrong-family", "the server has no relay address of the wanted family",
                    "give the server a relay address of that family, IPv4 or IPv6");
    case 441:
        return make(where, "wrong-credentials", "the allocation was made by another user",
                    "something between mixes clients up: a NAT or load balancer that uses ports again too soon");
    case 442:
        return make(where, "unsupported-transport", "the server does not relay UDP",
                    "switch UDP relaying on: it is what every TURN client asks for");
    case 443:
        return make(where, "wrong-family", "the peer's address is of another family than the relay's",
                    "give the server relay addresses of both families");
    case 446:
        return make(where, "connection-exists", "the server believes that a connection to this peer exists already",
                    "try again in a minute");
    case 486:
        return make(where, "quota-user", "this user has as many allocations as he may have",
                    "raise the quota per user (turnd: --allocations-per-user), or find out who uses them up; with "
                    "turnd, turnctl relays --user NAME lists them");
    case 500:
        return make(where, "server-error",
                    "the server could not answer: an error of its own, such as a user database "
                    "that does not respond",
                    "look at the server's log; trying again may help");
    case 508:
        return make(where, "no-ports", "the server has no relay port left, or as many allocations as it can hold",
                    "widen its range of relay ports, raise its limits, or add a server; with turnd, turnctl status "
                    "shows ports and capacity");
    default:
        return unknown_answer(where, t.code);
    }
}

finding certificate(step where, const trouble& t, const circumstances& c) {
    const std::string& host = c.server.host;
    switch (t.distrust) {
    case tls_distrust::expired:
        return make(where, "certificate-expired", "the server's certificate, or one that vouches for it, has expired",
                    "renew it; if it was renewed, see that the server has loaded the new file");
    case tls_distrust::not_yet_valid:
        return make(where, "certificate-not-yet-valid", "the server's certificate is valid from a later time on",
                    "compare the clocks of this machine and the one that issued the certificate");
    case tls_distrust::wrong_name:
        return make(where, "certificate-wrong-name",
                    fmt::format("the server's certificate is not for {}", quoted(host)),
                    "let it have that name (or address) as subjectAltName, or use a name it has in the URI");
    case tls_distrust::self_signed:
        return make(where, "certificate-self-signed", "the server's certificate is self-signed: browsers refuse it",
                    "get one from an authority that clients know, or give that certificate to --ca here");
    case tls_distrust::unknown_authority:
        return make(where, "certificate-unknown-authority",
                    "the server's certificate is signed by nobody this machine believes",
                    "let the server send the intermediate certificates, too (its file must hold the whole chain); for "
                    "an authority of your own use --ca FILE");
    case tls_distrust::none:
    case tls_distrust::other:
        break;
    }
    return make(where, "certificate-refused", "the server's certificate cannot be verified: " + printable(t.words),
                "openssl s_client -connect HOST:PORT shows it in full");
}

finding silent(step where, const trouble& t, const circumstances& c) {
    const std::string protocol = protocol_of(c.server);
    if (where == step::connect && protocol == "DTLS")
        return make(where, "no-answer",
                    fmt::format("nothing shakes hands at {} over DTLS: no server speaks it there, or UDP is dropped on "
                                "the way",
                                c.address),
                    "see that the server listens for DTLS on that address; then let the firewalls on the way pass UDP "
                    "to that port, and the answers back; ?transport=tcp is TLS");
    if (where == step::connect && !t.words.empty())
        return make(where, "no-answer",
                    fmt::format("{} accepts the connection and then says nothing {}", c.address, printable(t.words)),
                    "the port may not speak TLS (then use turn: instead of turns:), or the server hangs");
    if (where == step::connect)
        return make(where, "no-answer",
                    fmt::format("nobody accepts a connection at {}: the packets are dropped somewhere", c.address),
                    "let the firewalls on the way, the server's own first, pass TCP to that port");
    if (where != step::binding)
        return make(where, "no-answer", "the server, which answered before, no longer does",
                    where == step::allocate
                        ? "it may serve STUN only, or its user database may hang: look at its log"
                        : "something on the way loses packets, or the server is overloaded: look at its log");
    return make(where, "no-answer",
                fmt::format("nothing answers at {} over {}: no server runs there, or {} is dropped on the way",
                            c.address, protocol, protocol),
                fmt::format("see that the server runs and listens on that address; then let the firewalls on the way "
                            "pass {} to that port, and the answers back",
                            protocol));
}

} // namespace

finding explain(step where, const trouble& t, const circumstances& c) {
    switch (t.what) {
    case kind::answered: {
        finding f = answered(where, t, c);
        f.error_code = t.code;
        if (!t.words.empty()) f.what += fmt::format(" ({} {})", t.code, printable(t.words, 128));
        return f;
    }
    case kind::certificate:
        return certificate(where, t, c);
    case kind::silence:
        return silent(where, t, c);
    case kind::refused:
        return make(where, "connection-refused",
                    fmt::format("nothing listens at {} over {}", c.address, protocol_of(c.server)),
                    "start the server, or correct the port in the URI; a server may listen on UDP and not on TCP, or "
                    "on other addresses only");
    case kind::unreachable:
        return make(where, "unreachable",
                    fmt::format("there is no way to {} from here: {}", c.address, printable(t.words)),
                    "look at this machine's addresses and routes; for IPv6 addresses it needs IPv6");
    case kind::closed:
        if (where == step::connect)
            return make(where, "tls-failed", "the server closed the connection instead of shaking hands for TLS",
                        "the port may not speak TLS (then use turn: instead of turns:), or the server has too many "
                        "connections: look at its log");
        return make(where, "connection-closed", "the server closed the connection instead of answering",
                    "it may not be a TURN server, have too many connections, or refuse this address: look at its log");
    case kind::garbage:
        return make(where, "not-a-turn-server",
                    fmt::format("something answers at {}, but it does not speak STUN: {}", c.address, quoted(t.words)),
                    "correct host and port in the URI: another service has that port");
    case kind::tls:
        return make(where, "tls-failed",
                    fmt::format("no {} with this server: {}", protocol_of(c.server), printable(t.words)),
                    "the port may not speak TLS (then use turn: instead of turns:), or only versions before 1.2");
    case kind::unusable:
        return make(where, "unusable-answer",
                    "answers came that a client must not use" + (t.words.empty() ? "" : ": " + printable(t.words)),
                    where == step::allocate
                        ? "compare user and password with the server's; if they are right, the server signs wrongly or "
                          "somebody else answers in its place"
                        : "the server, or something that answers in its place, breaks RFC 8489");
    case kind::system:
        break;
    }
    return make(where, "system-error", "this machine refused: " + printable(t.words),
                "look at this machine's limits and firewall (a rule that rejects what leaves is answered so)");
}

} // namespace turnctl::check
