/// turnctl check against servers of all kinds: what it finds, what it says of that, and how it ends.

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "support/certificates.hpp"
#include "support/real_server.hpp"
#include "turnctl/check/own_turnd.hpp"
#include "turnctl/check/print.hpp"
#include "turnctl_console.hpp"
#include "turnctl_odd_server.hpp"
#include "turnd_room.hpp"

using namespace std::chrono_literals;
using namespace turn;
using namespace turn::test;
using turnctl::test::odd_server;
using turnctl::test::refuses_to_allocate;
using turnctl::test::said;
using turnctl::test::told;
using turnd::test::contains;

namespace {

server start(server_options o) {
    auto started = server::start(std::move(o));
    REQUIRE_MESSAGE(started, (started ? "" : started.error().what));
    return std::move(*started);
}

std::string uri_of(const server& s, std::string_view scheme = "turn", transport protocol = transport::udp,
                   address_family family = address_family::ipv4) {
    return std::string(scheme) + ":" + listener_of(s, family, protocol).to_string() +
           (protocol == transport::tcp ? "?transport=tcp" : "");
}

/// Ann and her passwords in files, and what turnctl says of a server as JSON.
struct operator_desk {
    turnd::test::room room{};
    std::string right = room.file("right", "ann's password\n"), wrong = room.file("wrong", "a guess\n");

    [[nodiscard]] static said check(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"check", "--json"});
        return told(std::move(arguments));
    }
    /// One server, as ann.
    [[nodiscard]] nlohmann::json as_ann(const std::string& uri, std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {uri, "--user", "ann", "--password-file", right});
        return only(check(std::move(more)));
    }
    [[nodiscard]] static nlohmann::json as_nobody(const std::string& uri, std::vector<std::string> more = {}) {
        more.insert(more.begin(), uri);
        return only(check(std::move(more)));
    }
    /// The report of the only server; its exit status is that of the program.
    static nlohmann::json only(const said& s) {
        CAPTURE(s.err);
        REQUIRE_FALSE(s.out.empty());
        const auto all = nlohmann::json::parse(s.out);
        REQUIRE(all.size() == 1);
        CHECK(all[0]["exitStatus"] == s.status);
        return all[0];
    }
};

/// The finding with this code; null: there is none.
nlohmann::json finding(const nlohmann::json& report, const std::string& code) {
    for (const auto& f : report["findings"])
        if (f["code"] == code) return f;
    return nullptr;
}

constexpr const char* steps[] = {"resolve", "connect", "binding", "allocate", "permission", "channel", "echo", "end"};

/// Steps with this outcome, joined.
std::string which(const nlohmann::json& report, const std::string& outcome) {
    std::string all;
    for (const char* s : steps)
        if (report["steps"][s] == outcome) all += (all.empty() ? "" : " ") + std::string(s);
    return all;
}

constexpr const char* everything = "resolve connect binding allocate permission channel echo end";

} // namespace

TEST_CASE("turnctl check: a good server is reached, allocates, and relays to a socket of ours, over UDP and TCP") {
    const operator_desk desk;
    auto o = on_loopback();
    o.listeners.push_back({.protocol = transport::tcp, .local = loopback()});
    const server s = start(o);
    for (const transport protocol : {transport::udp, transport::tcp}) {
        const auto r = desk.as_ann(uri_of(s, "turn", protocol));
        CAPTURE(r.dump(2));
        CHECK(r["reachable"] == true);
        CHECK(r["transport"] == name(protocol));
        CHECK(r["roundTripTimeMs"].get<double>() >= 0);
        CHECK(r["mappedAddress"] == "127.0.0.1");
        CHECK(r["mappedPortNumber"].get<int>() > 0);
        CHECK(r["relayedAddress"] == "127.0.0.1");
        CHECK(r["relayedPortNumber"].get<int>() >= 49152);
        CHECK(r["lifetimeSeconds"] == 600);
        CHECK(r["realm"] == "example.org");
        CHECK(r["echoPeer"] == "own-socket");
        CHECK(which(r, "ok") == everything);
        CHECK(r["findings"].empty());
        CHECK(r["verdict"] == "ok");
        CHECK(r["exitStatus"] == turnctl::exit_good);
    }
    CHECK(s.allocation_count() == 0); // it cleans up behind itself
}

TEST_CASE("turnctl check: a server that refuses us as a peer relays between two relays of its own") {
    const operator_desk desk;
    auto o = on_loopback();
    o.relay.peers.allow.clear();
    o.relay_addresses = {{.bind = own_loopback()}};
    const server s = start(o);
    const auto r = desk.as_ann(uri_of(s));
    CAPTURE(r.dump(2));
    CHECK(which(r, "ok") == everything);
    CHECK(r["echoPeer"] == "second-relay");
    CHECK(finding(r, "peer-denied")["severity"] == "note");
    CHECK(finding(r, "peer-denied")["errorCode"] == 403);
    CHECK(r["exitStatus"] == turnctl::exit_good);
    CHECK(s.allocation_count() == 0);
}

TEST_CASE("turnctl check: a client over IPv6 with a relay of IPv4 is checked by two relays") {
    const operator_desk desk;
    const server s = start(on_loopback());
    const auto r = desk.as_ann(uri_of(s, "turn", transport::udp, address_family::ipv6));
    CAPTURE(r.dump(2));
    CHECK(r["mappedAddress"] == "::1");
    CHECK(r["relayedAddress"] == "127.0.0.1");
    CHECK(r["echoPeer"] == "second-relay");
    CHECK(r["verdict"] == "ok");
}

TEST_CASE("turnctl check: peers denied and a quota of one leave the echo untried, which is a warning") {
    const operator_desk desk;
    auto o = on_loopback();
    o.relay.peers.allow.clear();
    o.relay_addresses = {{.bind = own_loopback()}};
    o.allocations_per_user = 1;
    const server s = start(o);
    const auto r = desk.as_ann(uri_of(s));
    CAPTURE(r.dump(2));
    CHECK(r["verdict"] == "peer-denied");
    CHECK(r["exitStatus"] == turnctl::exit_warning);
    CHECK(which(r, "failed") == "permission");
    CHECK(contains(finding(r, "peer-denied")["meaning"].get<std::string>(), "two relays could not be tried"));
    CHECK(contains(finding(r, "peer-denied")["meaning"].get<std::string>(), "as many allocations as he may have"));
    CHECK(s.allocation_count() == 0);
}

TEST_CASE("turnctl check: a wrong password is told apart from a dead server, whether it is answered 401 or 431") {
    const operator_desk desk;
    for (const std::uint16_t code : {std::uint16_t{401}, std::uint16_t{431}}) {
        auto o = on_loopback();
        o.relay.integrity_failure_code = code;
        const server s = start(o);
        const auto r = operator_desk::as_nobody(uri_of(s), {"--user", "ann", "--password-file", desk.wrong});
        CAPTURE(r.dump(2));
        CHECK(r["reachable"] == true);
        CHECK(r["verdict"] == "bad-credentials");
        CHECK(r["exitStatus"] == turnctl::exit_critical);
        CHECK(which(r, "failed") == "allocate");
        CHECK(finding(r, "bad-credentials")["errorCode"] == code);
        CHECK(contains(finding(r, "bad-credentials")["meaning"].get<std::string>(), "\"ann\""));
    }
}

TEST_CASE("turnctl check: a time-limited user name that is over is called expired") {
    const operator_desk desk;
    const server s = start(on_loopback());
    const auto r = operator_desk::as_nobody(uri_of(s), {"--user", "1500000000:ann", "--password-file", desk.wrong});
    CHECK(r["verdict"] == "expired");
    CHECK(contains(finding(r, "expired")["meaning"].get<std::string>(), "ended"));
}

TEST_CASE("turnctl check: without a user it is about reachability, and that the server asks for credentials") {
    const server s = start(on_loopback());
    const auto turn = operator_desk::as_nobody(uri_of(s));
    CHECK(turn["verdict"] == "ok");
    CHECK(finding(turn, "credentials-needed")["severity"] == "note");
    CHECK(which(turn, "ok") == "resolve connect binding");
    const auto stun = operator_desk::as_nobody(uri_of(s, "stun"));
    CHECK(stun["verdict"] == "ok");
    CHECK(stun["findings"].empty());
}

TEST_CASE("turnctl check: a server that relays for everybody is a warning") {
    auto o = on_loopback();
    o.relay.anonymous = true;
    const server s = start(o);
    const auto r = operator_desk::as_nobody(uri_of(s));
    CHECK(r["verdict"] == "open-relay");
    CHECK(r["exitStatus"] == turnctl::exit_warning);
    CHECK(which(r, "ok") == everything);
}

TEST_CASE("turnctl check: a server of STUN alone is no TURN server") {
    auto o = on_loopback();
    o.relay.relaying = false;
    const server s = start(o);
    const auto r = operator_desk::as_nobody(uri_of(s), {"--timeout", "500ms"});
    CAPTURE(r.dump(2));
    CHECK(r["reachable"] == true);
    CHECK(r["verdict"] == "stun-only");
    CHECK(r["exitStatus"] == turnctl::exit_critical);
}

TEST_CASE("turnctl check: a server without Binding is reached by its Allocate") {
    const odd_server s(refuses_to_allocate({.error = 401, .binds = false}));
    const auto r = operator_desk::as_nobody(s.uri(), {"--timeout", "500ms"});
    CAPTURE(r.dump(2));
    CHECK(r["reachable"] == true);
    CHECK(finding(r, "no-binding")["severity"] == "note");
    CHECK(r["verdict"] == "ok");
}

TEST_CASE("turnctl check: each refusal of an Allocate has its name, its code and a remedy") {
    const operator_desk desk;
    const std::pair<std::uint16_t, const char*> refusals[] = {{300, "try-alternate"},
                                                              {400, "bad-request"},
                                                              {403, "forbidden"},
                                                              {420, "unknown-attribute"},
                                                              {437, "allocation-mismatch"},
                                                              {438, "stale-nonce"},
                                                              {440, "wrong-family"},
                                                              {441, "wrong-credentials"},
                                                              {442, "unsupported-transport"},
                                                              {486, "quota-user"},
                                                              {500, "server-error"},
                                                              {508, "no-ports"},
                                                              {599, "refused"}};
    for (const auto& refusal : refusals) {
        const std::uint16_t code = refusal.first;
        const std::string word = refusal.second;
        CAPTURE(code);
        const odd_server s(refuses_to_allocate({.error = code, .phrase = "because\x1b[2J", .challenges = code == 438}));
        const auto r = code == 438 ? desk.as_ann(s.uri()) : operator_desk::as_nobody(s.uri());
        CAPTURE(r.dump(2));
        CHECK(r["reachable"] == true);
        CHECK(r["verdict"] == word);
        CHECK(r["exitStatus"] == turnctl::exit_critical);
        const auto f = finding(r, word);
        CHECK(f["errorCode"] == code);
        CHECK(f["step"] == "allocate");
        CHECK(contains(f["meaning"].get<std::string>(), "because\\x1b[2J")); // safe on a terminal
        CHECK_FALSE(f["remedy"].get<std::string>().empty());
    }
}

TEST_CASE("turnctl check: answers that nobody signed with this password are not believed") {
    const operator_desk desk;
    const odd_server s(refuses_to_allocate({.error = 508, .challenges = true}));
    const auto r = desk.as_ann(s.uri(), {"--timeout", "500ms"});
    CAPTURE(r.dump(2));
    CHECK(r["verdict"] == "unusable-answer");
    CHECK(contains(finding(r, "unusable-answer")["meaning"].get<std::string>(), "signed with this password"));
}

TEST_CASE("turnctl check: a challenge without a realm is the server's fault, not the user's") {
    const operator_desk desk;
    const odd_server s(refuses_to_allocate({.error = 401, .names_realm = false}));
    CHECK(desk.as_ann(s.uri())["verdict"] == "bad-challenge");
}

TEST_CASE("RFC 8656 7.4: turnctl check tries another port when its first is said to have an allocation") {
    std::vector<std::uint16_t> ports; // of the server's thread, until it ends
    {
        const odd_server s([&](bytes request, const transport_address& from) {
            const auto m = stun::message_view::parse(request);
            if (m && m->method() == stun::method::allocate) ports.push_back(from.port);
            return refuses_to_allocate({.error = static_cast<std::uint16_t>(ports.size() > 1 ? 508 : 437)})(request,
                                                                                                            from);
        });
        CHECK(operator_desk::as_nobody(s.uri())["verdict"] == "no-ports");
    }
    REQUIRE(ports.size() == 2);
    CHECK(ports[0] != ports[1]);
}

TEST_CASE("turnctl check: nobody, silence and noise are three answers") {
    std::string gone;
    {
        const odd_server s([](bytes, const transport_address&) { return std::vector<std::byte>{}; });
        gone = s.uri();
        const auto silent = operator_desk::as_nobody(s.uri("stun"), {"--timeout", "500ms"});
        CHECK(silent["reachable"] == false);
        CHECK(silent["verdict"] == "no-answer");
        CHECK(silent["exitStatus"] == turnctl::exit_critical);
    }
    CHECK(operator_desk::as_nobody(gone)["verdict"] == "connection-refused");
    CHECK(operator_desk::as_nobody(gone + "?transport=tcp")["verdict"] == "connection-refused");

    const odd_server noisy([](bytes, const transport_address&) {
        const auto text = std::as_bytes(std::span("HTTP/1.1 400 Bad Request\r\n"));
        return std::vector<std::byte>(text.begin(), text.end() - 1);
    });
    const auto noise = operator_desk::as_nobody(noisy.uri("stun"), {"--timeout", "500ms"});
    CHECK(noise["reachable"] == false);
    CHECK(noise["verdict"] == "not-a-turn-server");
    CHECK(contains(finding(noise, "not-a-turn-server")["meaning"].get<std::string>(), "HTTP/1.1 400"));
}

TEST_CASE("turnctl check: when UDP is dropped or refused but TCP answers, and the other way round, that is said") {
    auto o = on_loopback();
    o.listeners = {{.protocol = transport::tcp, .local = own_loopback()}};
    const server s = start(o);
    const auto address = listener_of(s, address_family::ipv4, transport::tcp);
    const std::string by_udp = "turn:" + address.to_string();

    const auto refused = operator_desk::as_nobody(by_udp);
    CHECK(refused["reachable"] == false);
    CHECK(refused["verdict"] == "udp-blocked");
    CHECK(contains(finding(refused, "udp-blocked")["meaning"].get<std::string>(), "UDP refused but TCP open"));

    const odd_server silent([](bytes, const transport_address&) { return std::vector<std::byte>{}; }, address.port);
    const auto dropped = operator_desk::as_nobody(by_udp, {"--timeout", "500ms"});
    CHECK(dropped["verdict"] == "udp-blocked");
    CHECK(dropped["exitStatus"] == turnctl::exit_critical);
    CHECK(contains(finding(dropped, "udp-blocked")["meaning"].get<std::string>(), "UDP blocked but TCP open"));

    const odd_server udp_only(refuses_to_allocate({.error = 401}));
    const auto tcp = operator_desk::as_nobody(udp_only.uri() + "?transport=tcp");
    CHECK(tcp["verdict"] == "tcp-blocked");
    CHECK(contains(finding(tcp, "tcp-blocked")["meaning"].get<std::string>(), "TCP refused but UDP open"));
}

TEST_CASE("turnctl check: TLS is verified, and what is wrong with a certificate is said in words") {
    const operator_desk desk;
    const certificate_authority authority;
    const certificate_folder folder;
    const std::string root = folder.file("root.pem", authority.root());
    const auto serve = [&](const certificate_files& files) {
        auto o = on_loopback();
        o.listeners = {{.protocol = transport::tls, .local = loopback(), .certificates = {files}}};
        return start(o);
    };
    const auto uri = [](const server& s) { return uri_of(s, "turns", transport::tls); };

    const server good = serve(folder.files(authority.issue({.addresses = {"127.0.0.1"}}), "good"));
    const auto fine = desk.as_ann(uri(good), {"--ca", root});
    CAPTURE(fine.dump(2));
    CHECK(which(fine, "ok") == everything);
    CHECK(fine["verdict"] == "ok");
    CHECK(fine["certificateExpiresInSeconds"].get<std::int64_t>() > 29 * 86400);

    const auto stranger = desk.as_ann(uri(good));
    CHECK(stranger["verdict"] == "certificate-unknown-authority");
    CHECK(stranger["exitStatus"] == turnctl::exit_critical);
    CHECK(stranger["reachable"] == false);
    CHECK(which(stranger, "failed") == "connect");

    const auto believed = desk.as_ann(uri(good), {"--insecure"});
    CHECK(believed["verdict"] == "ok");
    CHECK(finding(believed, "certificate-unknown-authority")["severity"] == "note");

    const server other = serve(folder.files(authority.issue({.names = {"other.example.org"}}), "other"));
    CHECK(desk.as_ann(uri(other), {"--ca", root})["verdict"] == "certificate-wrong-name");
    const server old =
        serve(folder.files(authority.issue({.addresses = {"127.0.0.1"}, .begins = -48h, .ends = -24h}), "old"));
    CHECK(desk.as_ann(uri(old), {"--ca", root})["verdict"] == "certificate-expired");
    const server soon =
        serve(folder.files(authority.issue({.addresses = {"127.0.0.1"}, .ends = 3 * 24h + 1h}), "soon"));
    const auto ending = desk.as_ann(uri(soon), {"--ca", root});
    CHECK(ending["verdict"] == "certificate-ends-soon");
    CHECK(ending["exitStatus"] == turnctl::exit_warning);
    CHECK(contains(finding(ending, "certificate-ends-soon")["meaning"].get<std::string>(), "3 days"));
}

TEST_CASE("turnctl check: turns over UDP is DTLS, and its certificate is verified") {
    const operator_desk desk;
    const certificate_authority authority;
    const certificate_folder folder;
    const std::string root = folder.file("root.pem", authority.root());
    auto o = on_loopback();
    o.listeners = {{.protocol = transport::dtls,
                    .local = loopback(),
                    .certificates = {folder.files(authority.issue({.addresses = {"127.0.0.1"}}))}}};
    const server s = start(o);
    const std::string uri = uri_of(s, "turns", transport::dtls) + "?transport=udp";
    const auto fine = desk.as_ann(uri, {"--ca", root});
    CAPTURE(fine.dump(2));
    CHECK(which(fine, "ok") == everything);
    CHECK(fine["verdict"] == "ok");
    CHECK(fine["transport"] == "dtls");
    CHECK(fine["certificateExpiresInSeconds"].get<std::int64_t>() > 29 * 86400);
    const auto stranger = desk.as_ann(uri);
    CHECK(stranger["verdict"] == "certificate-unknown-authority");
    CHECK(which(stranger, "failed") == "connect");
    CHECK(desk.as_ann(uri, {"--insecure"})["verdict"] == "ok");
}

TEST_CASE("turnctl check: a server that speaks no DTLS is silent, and the finding says so") {
    const real_peer silent;
    const auto r =
        operator_desk::as_nobody("turns:" + silent.local().to_string() + "?transport=udp", {"--timeout", "500ms"});
    CHECK(r["reachable"] == false);
    CHECK(which(r, "failed") == "connect");
    CHECK(contains(finding(r, "no-answer")["meaning"].get<std::string>(), "over DTLS"));
}

TEST_CASE("turnctl check: TLS to a port of plain TCP says that the port may not speak TLS") {
    auto o = on_loopback();
    o.listeners = {{.protocol = transport::tcp, .local = loopback()}};
    const server s = start(o);
    const auto r =
        operator_desk::as_nobody("turns:" + listener_of(s, address_family::ipv4, transport::tcp).to_string());
    CHECK(r["reachable"] == false);
    CHECK(r["verdict"] == "tls-failed");
    CHECK(contains(finding(r, "tls-failed")["remedy"].get<std::string>(), "turn: instead of turns:"));
}

TEST_CASE("turnctl check: of several servers and a list each has its report, and the worst counts") {
    const operator_desk desk;
    const server s = start(on_loopback());
    const odd_server full(refuses_to_allocate({.error = 508}));
    const std::string list = desk.room.file("servers", "# ours\n\n  " + uri_of(s) + " ann " + desk.right + "\r\n" +
                                                           full.uri() + "\n" + uri_of(s, "stun") + "\n");
    const auto good = operator_desk::check({uri_of(s, "stun"), uri_of(s)});
    CHECK(good.status == turnctl::exit_good);
    const auto all = operator_desk::check({uri_of(s, "stun"), "--list", list});
    CHECK(all.status == turnctl::exit_critical);
    std::vector<std::string> verdicts, peers;
    for (const auto& r : nlohmann::json::parse(all.out)) verdicts.push_back(r["verdict"]);
    CHECK(verdicts == std::vector<std::string>{"ok", "ok", "no-ports", "ok"});
    CHECK(nlohmann::json::parse(all.out)[1]["echoPeer"] == "own-socket"); // ann's line has ann's password
}

TEST_CASE("turnctl check: reports about a turnd of this machine get its number of allocations, others do not") {
    using turnctl::check::report;
    const auto at = [](std::string_view address, std::string transport) {
        return report{.transport = std::move(transport), .server = *transport_address::parse(address)};
    };
    std::vector<report> reports{at("192.0.2.1:3478", "udp"), at("192.0.2.1:3478", "tcp"), at("192.0.2.1:3479", "udp"),
                                at("192.0.2.2:3478", "udp"), report{}};
    const auto status =
        nlohmann::ordered_json::parse(R"({"numAllocations": 7, "listeners": [{"realm": "example.org"}, 5,
        {"address": "192.0.2.1", "port": 3478, "transport": "udp", "realm": "example.org"}]})");
    add_allocations(reports, status);
    CHECK(reports[0].allocations == std::optional<std::uint64_t>(7));
    CHECK(to_json(reports[0])["numAllocations"] == 7);
    for (std::size_t i = 1; i < reports.size(); ++i) CHECK_FALSE(reports[i].allocations.has_value());
    CHECK_FALSE(to_json(reports[1]).contains("numAllocations"));

    std::vector<report> again{at("192.0.2.1:3478", "udp")};
    for (const char* odd :
         {"null", "[]", "{}", R"({"numAllocations": "7"})", R"({"numAllocations": 7, "listeners": {}})"})
        add_allocations(again, nlohmann::ordered_json::parse(odd));
    CHECK_FALSE(again[0].allocations.has_value());
}

TEST_CASE("turnctl check: without --json it is for people, with the same names") {
    const operator_desk desk;
    const server s = start(on_loopback());
    const auto good = told({"check", uri_of(s), "--user", "ann", "--password-file", desk.right});
    CHECK(good.status == turnctl::exit_good);
    for (const char* word : {"reachable         yes", "roundTripTimeMs   ", "mappedAddress     127.0.0.1",
                             "mappedPortNumber  ", "relayedAddress    127.0.0.1", "echo ok", "verdict           ok"})
        CHECK_MESSAGE(contains(good.out, word), good.out);
    const auto bad = told({"check", uri_of(s), "--user", "ann", "--password-file", desk.wrong});
    CHECK(bad.status == turnctl::exit_critical);
    CHECK(contains(bad.out, "critical          bad-credentials: the server knows no user \"ann\""));
    CHECK_FALSE(contains(bad.out, "a guess"));
}

TEST_CASE("turnctl check: what makes no sense is refused before anything is tried") {
    const operator_desk desk;
    const auto refused = [](std::vector<std::string> arguments, std::string_view words) {
        arguments.insert(arguments.begin(), "check");
        const auto said = told(arguments);
        CHECK(said.status == turnctl::exit_usage);
        CHECK_MESSAGE(contains(said.err, words), said.err);
        CHECK(said.out.empty());
    };
    const std::string nowhere = "turn:127.0.0.1:1";
    refused({}, "no URI and no --list");
    refused({"http://example.org"}, "not a STUN or TURN URI");
    refused({"turn:"}, "not a STUN or TURN URI");
    refused({"turn:a\x1b[2J"}, "\\x1b[2J");
    refused({nowhere + "?transport=sctp"}, "udp or tcp");
    refused({nowhere, "--user", "ann"}, "go together");
    refused({nowhere, "--password-file", desk.right}, "go together");
    refused({nowhere, "--user", "ann", "--password-file", desk.room.path("absent")}, "No such file");
    refused({nowhere, "--user", "ann", "--password-file", desk.room.file("empty", "\n")}, "holds no password");
    refused({nowhere, "--user", "ann", "--password-file", desk.room.file("raw", "\xff\xfe\n")}, "is no password");
    refused({nowhere, "--user", "a\x01", "--password-file", desk.right}, "not a user name");
    refused({nowhere, "--user", std::string(509, 'a'), "--password-file", desk.right}, "508 bytes");
    refused({nowhere, "--timeout", "0"}, "--timeout \"0\"");
    refused({nowhere, "--timeout", "61"}, "--timeout \"61\"");
    refused({nowhere, "--timeout", "soon"}, "--timeout \"soon\"");
    refused({nowhere, "--ca", desk.room.path("absent.pem")}, "absent.pem");
    refused({"turns:127.0.0.1:1", "--ca", desk.room.path("absent.pem")}, "absent.pem");
    refused({"--list", desk.room.path("absent")}, "No such file");
    refused({"--list", desk.room.file("comments", "# nothing\n")}, "no URI in it");
    refused({"--list", desk.room.file("half", nowhere + "\n" + nowhere + " ann\n")}, "half, line 2: a line is");
    refused({"--list", desk.room.file("long", nowhere + " ann a b\n")}, "line 1: a line is");
    refused({"--list", desk.room.file("bad", "turn:a:b:c\n")}, "line 1: \"turn:a:b:c\"");
    std::string many;
    for (int i = 0; i < 1001; ++i) many += nowhere + "\n";
    refused({"--list", desk.room.file("many", many)}, "more than 1000 servers");
}
