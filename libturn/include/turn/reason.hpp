#pragma once
/// Why a request was refused or a packet dropped: stable codes for counters, logs and `turnctl why`.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turn {

/// Every "no" carries one of these; there is no catch-all. The names (`name()`) are a contract with
/// operators: never rename one, only add.
enum class reason : std::uint8_t {
    none, ///< not a "no"; never counted

    // Credentials (RFC 8489, 9.2.4)
    first_challenge,          ///< unsigned request, answered 401 with a challenge: not an error
    unknown_user,             ///< no such user in this realm
    bad_password,             ///< MESSAGE-INTEGRITY does not match the user's key
    expired,                  ///< a time-limited credential past its end
    wrong_realm,              ///< REALM is not this listener's
    stale_nonce,              ///< ours, but past its expiry
    foreign_nonce,            ///< never issued to this address
    wrong_credentials,        ///< 441: not the user who made the allocation
    credential_source_failed, ///< 500: the user database did not answer properly
    credential_timeout,       ///< nobody answered the look-up in time
    algorithms_altered,       ///< 400: PASSWORD-ALGORITHMS is not what was sent with the nonce: a bid-down, 9.2.1
    lookups_full,             ///< too many look-ups pending

    // Requests
    missing_attribute,     ///< 400: a required attribute is absent
    bad_attribute,         ///< 400: an attribute's value is not allowed (or two exclude each other)
    unknown_attribute,     ///< 420, or an indication with a comprehension-required attribute we do not know
    allocation_mismatch,   ///< 437: no allocation where one is needed, or one where none may be
    unsupported_transport, ///< 442; 400 for a method that the allocation's or the client's transport does not have
    unsupported_family,    ///< 440
    wrong_family,          ///< 443: peer of a family the allocation does not relay
    peer_denied,           ///< 403 or dropped: authorize_peer said no
    channel_in_use,        ///< 400: number or peer already bound otherwise
    quota_user,            ///< 486: too many allocations of this user
    quota_total,           ///< 508: allocations-total reached
    no_ports,              ///< 508: no relay port (with the wanted properties) is free
    no_descriptors,        ///< 508: the operating system gave no socket
    bad_token,             ///< 508: RESERVATION-TOKEN unknown, expired or used
    permission_limit,      ///< 508: permissions-per-allocation
    channel_limit,         ///< 508: channels-per-allocation
    out_of_memory,         ///< 508
    draining,              ///< 508: the server takes no new allocations
    redirected,            ///< 300: another server is to be asked

    // Connections with peers (RFC 6062)
    connection_exists,  ///< 446: the allocation has a connection with this peer, or is making one
    connect_failed,     ///< 447: the peer or the network refused the connection
    connect_timeout,    ///< 447: the peer did not answer
    unknown_connection, ///< 400: CONNECTION-ID names no connection that waits to be bound
    connection_limit,   ///< 508, or closed: connections-per-allocation
    connection_unbound, ///< closed: no ConnectionBind within 30 s

    // Packets
    malformed,            ///< neither STUN nor ChannelData by its first bytes, or badly formed STUN
    fingerprint_mismatch, ///< FINGERPRINT present and wrong
    unknown_method,       ///< a method this server does not do
    unexpected_class,     ///< a response, or a class the method does not have
    truncated_data,       ///< ChannelData shorter than its length field says
    no_allocation,        ///< data or an indication on a 5-tuple without an allocation
    no_permission,        ///< no permission for the peer's address
    no_channel,           ///< ChannelData on a channel that is not bound
    no_data,              ///< an indication without peer or data
    rate_limited,         ///< answers to unproven sources are over their budget
    relay_disabled,       ///< a TURN method at a server that does STUN only
    bandwidth,            ///< more data than bandwidth-per-allocation lets through
    socket_closed,        ///< arrived for or queued to a socket that has just been closed
    socket_buffer_full,   ///< the kernel's send buffer was full
    too_big,              ///< larger than a datagram, or than the path takes with DF set
    send_refused,         ///< the kernel refused to send (unreachable, port 0, not permitted)
    receive_truncated,    ///< larger than the receive buffer
    icmp_type,            ///< an ICMP error of a type that clients are not told of

    // Connections (TCP, TLS, DTLS)
    connections_full,       ///< as many connections without an allocation as there may be
    connections_per_source, ///< as many of them from one IPv4 address or IPv6 /64 as there may be
    connection_idle,        ///< a connection without an allocation that said nothing for too long
    handshake_failed,       ///< TLS: no common version, cipher or trust, or no TLS at all
    handshake_timeout,      ///< a TLS handshake that stopped half-way
    slow_reader,            ///< the oldest media of a client that reads too slowly
    queued_too_long,        ///< media that waited for a slow client until it was worthless
    no_session,             ///< a DTLS record from an address that has no session

    // Verdicts over a whole relay, and what later work fills in
    peer_silent,
    client_silent,
    outside_range,

    count_ ///< how many there are
};

inline constexpr std::size_t reason_count = static_cast<std::size_t>(reason::count_);

/// The stable code, e.g. "bad-password".
std::string_view name(reason) noexcept;

} // namespace turn
