#include "reason_words.hpp"

namespace turnd {

reason_words words_of(turn::reason why) noexcept {
    using turn::reason;
    // No default: the compiler names the reason that was forgotten here.
    switch (why) {
    case reason::none:
        return {"nothing was refused", "nothing", weight::none};

    // Credentials
    case reason::first_challenge:
        return {"an unsigned request was answered 401, as every session begins",
                "nothing; a client that never goes beyond it has no credentials, or the answer does not reach it",
                weight::none};
    case reason::unknown_user:
        return {"no such user in this realm, or a name that no shared secret can have made",
                "check the user name the client got, and the realm; turnctl user list shows who is known",
                weight::problem};
    case reason::bad_password:
        return {"the signature does not fit the user's key: a wrong password, or another shared secret",
                "check the password the client has; for time-limited credentials the shared secret on both sides",
                weight::problem};
    case reason::expired:
        return {"a time-limited credential past its end",
                "let the client fetch a new credential before each call; compare the clocks of both machines",
                weight::problem};
    case reason::wrong_realm:
        return {"the client signed for another realm", "one realm on both sides; a client may have cached an old one",
                weight::problem};
    case reason::stale_nonce:
        return {"ours, but too old; the client is sent a new one", "nothing", weight::none};
    case reason::foreign_nonce:
        return {"never issued to this address: a client that moved, another server's, or a forgery",
                "nothing, unless it is most of the traffic: then a NAT or balancer changes the client's address",
                weight::everyday};
    case reason::wrong_credentials:
        return {"441: the allocation of this address and port belongs to another user",
                "a client mixes up accounts on one socket", weight::problem};
    case reason::credential_source_failed:
        return {"500: the source of users did not answer properly",
                "look at the user database: the log names what is wrong with it", weight::problem};
    case reason::credential_timeout:
        return {"500: the source of users did not answer in time",
                "look at the user database and its disk: it is too slow, or locked", weight::problem};
    case reason::algorithms_altered:
        return {"400: the password algorithms that the client was offered are not those it names",
                "somebody between client and server may want a weaker one; a client's bug is more likely",
                weight::problem};
    case reason::lookups_full:
        return {"too many look-ups wait", "the source of users is too slow for the load", weight::problem};

    // Requests
    case reason::missing_attribute:
        return {"400: a required attribute is absent", "a client's bug", weight::problem};
    case reason::bad_attribute:
        return {"400: an attribute has a value that is not allowed", "a client's bug", weight::problem};
    case reason::unknown_attribute:
        return {"420: a required attribute that this server does not know",
                "the client wants something this server does not offer", weight::problem};
    case reason::allocation_mismatch:
        return {"437: no allocation where one is needed, or one where none may be",
                "nothing: after a restart clients see this and begin anew", weight::everyday};
    case reason::unsupported_transport:
        return {"442: a relay over something else than UDP; 400: a request that does not go with the relay's transport",
                "set tcp-relay if clients are to have relays over TCP", weight::problem};
    case reason::unsupported_family:
        return {"440: a relay of a family there is no relay address for",
                "add a relay address of that family to relay.addresses", weight::problem};
    case reason::wrong_family:
        return {
            "443: an IPv6 peer for an IPv4 relay, or the other way round",
            "normal with browsers; where nothing else is tried, the client must ask for a relay of the other family",
            weight::everyday};
    case reason::peer_denied:
        return {"403: the peer policy; the rule is named beside it",
                "add the peer to peers.allow if it is meant to be reached; private candidates of browsers are normal",
                weight::everyday};
    case reason::channel_in_use:
        return {"400: the channel's number or peer is bound otherwise", "a client's bug", weight::problem};
    case reason::quota_user:
        return {"486: limits.allocations-per-user reached",
                "raise it, or find out who keeps so many: turnctl relays --user", weight::problem};
    case reason::quota_total:
        return {"508: limits.allocations-total reached", "raise it, or add a server", weight::problem};
    case reason::no_ports:
        return {"508: no relay port is free, or no even one with a free neighbour",
                "widen relay.ports, or add a relay address", weight::problem};
    case reason::no_descriptors:
        return {"508: the system gave no socket", "raise the descriptor limit: LimitNOFILE= in the unit",
                weight::problem};
    case reason::bad_token:
        return {"508: a reservation that is unknown, used or older than 30 s", "nothing: the client asks for a new one",
                weight::problem};
    case reason::permission_limit:
        return {"508: limits.permissions-per-allocation reached", "raise it if the client is sane", weight::problem};
    case reason::channel_limit:
        return {"508: limits.channels-per-allocation reached", "raise it if the client is sane", weight::problem};
    case reason::out_of_memory:
        return {"508: the machine has no memory left", "more memory, or a lower limits.allocations-total",
                weight::problem};
    case reason::draining:
        return {"508: turnd is about to end and takes nothing new",
                "clients go to another server; or wait for the restart", weight::problem};
    case reason::redirected:
        return {"300: the client is sent to another server", "nothing", weight::none};

    // Connections with peers
    case reason::connection_exists:
        return {"446: the relay has a connection with this peer already, or is making one", "a client's bug",
                weight::problem};
    case reason::connect_failed:
        return {"447: the peer, or the network before it, refused the connection",
                "nothing listens there, or a firewall", weight::everyday};
    case reason::connect_timeout:
        return {"447: the peer did not answer for 30 s", "nobody is there, or a firewall drops what goes there",
                weight::everyday};
    case reason::unknown_connection:
        return {"400: CONNECTION-ID names no connection that waits to be bound",
                "the peer has left, or the client took more than 30 s", weight::everyday};
    case reason::connection_limit:
        return {"508: as many connections with peers as one relay may have", "nothing, if the client is sane",
                weight::problem};
    case reason::connection_unbound:
        return {"a connection with a peer that its client did not take within 30 s",
                "the client cannot open a second connection, or does not want it", weight::everyday};

    // Packets
    case reason::malformed:
        return {"neither STUN nor ChannelData, or broken STUN", "scanners; other protocols on this port",
                weight::problem};
    case reason::fingerprint_mismatch:
        return {"FINGERPRINT present and wrong", "damaged on the way, or not STUN", weight::problem};
    case reason::unknown_method:
        return {"a STUN method that this server does not do", "nothing", weight::everyday};
    case reason::unexpected_class:
        return {"a STUN response, or a class the method does not have", "nothing", weight::everyday};
    case reason::truncated_data:
        return {"ChannelData shorter than it says", "a client's bug", weight::problem};
    case reason::no_allocation:
        return {"data without an allocation: too late, or from elsewhere", "normal after an allocation ended",
                weight::everyday};
    case reason::no_permission:
        return {"data from or to a peer that the client has not allowed, or no more",
                "normal; if media goes one way only, the peer writes from an address the client was not told of, or "
                "the client does not refresh its permissions",
                weight::everyday};
    case reason::no_channel:
        return {"ChannelData on a channel that is not bound",
                "channels live ten minutes unless the client refreshes them", weight::problem};
    case reason::no_data:
        return {"an indication without a peer or without data", "a client's bug", weight::problem};
    case reason::rate_limited:
        return {"answers to this prefix are over their budget",
                "an attack with forged addresses; a large NAT belongs into limits.unauthenticated-exempt",
                weight::problem};
    case reason::relay_disabled:
        return {"a TURN request at a server that does STUN only", "give it credentials: see auth and realm",
                weight::problem};
    case reason::bandwidth:
        return {"more data than limits.bandwidth-per-allocation lets through",
                "a flood; or raise it: media with gaps suffers from it, as does a slow TCP relay", weight::problem};
    case reason::socket_closed:
        return {"arrived at, or was on its way to, a socket that just closed", "nothing", weight::none};
    case reason::socket_buffer_full:
        return {"the kernel's send buffer was full", "the link is slower than the traffic", weight::problem};
    case reason::too_big:
        return {"larger than a datagram, or than the path takes with DF set", "a client's matter", weight::problem};
    case reason::send_refused:
        return {"the kernel refused to send: unreachable, port 0, a firewall rule here",
                "look at routes and the local firewall", weight::problem};
    case reason::receive_truncated:
        return {"larger than a receive buffer", "should not happen; tell us", weight::problem};
    case reason::icmp_type:
        return {"an ICMP error of a type that clients are not told of", "nothing", weight::everyday};

    // Stream connections
    case reason::connections_full:
        return {"limits.connections-without-allocation reached: the connection is closed at once",
                "a flood, or raise it", weight::problem};
    case reason::connections_per_source:
        return {"limits.connections-per-source reached", "a flood, or raise it if many clients are behind one NAT",
                weight::problem};
    case reason::connection_idle:
        return {"a connection without an allocation said nothing for limits.connection-idle-timeout",
                "scanners; clients that only look", weight::everyday};
    case reason::handshake_failed:
        return {"no TLS, or no version, cipher or trust in common",
                "the client may not trust the certificate: is the chain complete, and the name in it?",
                weight::problem};
    case reason::handshake_timeout:
        return {"the TLS handshake or the first message took longer than limits.tls-handshake-timeout",
                "scanners; very slow links", weight::problem};
    case reason::slow_reader:
        return {"limits.client-queue-bytes wait for a client that reads too slowly",
                "the client's link is slower than the traffic", weight::problem};
    case reason::queued_too_long:
        return {"media that waited limits.client-queue-age for a client that reads too slowly",
                "the client's link is slower than the traffic", weight::problem};

    case reason::no_session:
        return {"a DTLS record from an address that has no session",
                "a client from before a restart, or whose session has ended: it has to shake hands again",
                weight::everyday};

    // Verdicts
    case reason::peer_silent:
        return {"the client sent, and nothing came from any peer",
                "a firewall between this server and the peer, in either direction: it must let UDP through between the "
                "relay ports and the peer; or the peer was told a wrong relay.addresses advertised address",
                weight::problem};
    case reason::client_silent:
        return {
            "the client asked for a relay and sent no data through it",
            "nothing, if the call found a direct way: clients ask for relays they never use; else the client's side "
            "does not reach this server any more",
            weight::everyday};
    case reason::outside_range:
        return {"the peer is this server's own address, on a port outside relay.ports",
                "peers behind this server must use its relay ports: look at the candidates that were exchanged",
                weight::problem};
    case reason::count_:
        break;
    }
    return {};
}

reason_words words_of(turn::verdict v) noexcept {
    using turn::reason;
    using turn::verdict;
    const auto remedy = [](reason why) { return words_of(why).remedy; };
    switch (v) {
    case verdict::ok:
        return {"data went both ways", "nothing", weight::none};
    case verdict::client_silent: // most relays that clients ask for are never used
        return words_of(reason::client_silent);
    case verdict::peer_silent:
        return words_of(reason::peer_silent);
    case verdict::no_permission:
        return {"data was there, but the client had not allowed the address it came from or went to",
                remedy(reason::no_permission), weight::problem};
    case verdict::no_channel:
        return {"the client sent on channels it had not bound, or no longer", remedy(reason::no_channel),
                weight::problem};
    case verdict::wrong_family:
        return {"the peers are IPv4 and the relay is IPv6, or the other way round", remedy(reason::wrong_family),
                weight::problem};
    case verdict::outside_range:
        return words_of(reason::outside_range);
    case verdict::peer_denied:
        return {"the policy refuses every peer the client named", remedy(reason::peer_denied), weight::problem};
    case verdict::malformed:
        return {"nothing the client sent could be used", "a client's bug", weight::problem};
    case verdict::bandwidth:
        return words_of(reason::bandwidth);
    case verdict::count_:
        break;
    }
    return {};
}

} // namespace turnd
