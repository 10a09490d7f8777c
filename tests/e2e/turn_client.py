"""A TURN client over a stream, by hand and no more than these tests need: RFC 8489, RFC 8656, long-term credentials."""
import hashlib
import hmac
import os
import socket
import ssl
import struct
import time

MAGIC_COOKIE = 0x2112A442
BINDING, ALLOCATE, CREATE_PERMISSION, CHANNEL_BIND = 0x001, 0x003, 0x008, 0x009
USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, CHANNEL_NUMBER = 0x0006, 0x0008, 0x0009, 0x000C
XOR_PEER_ADDRESS, REALM, NONCE, XOR_RELAYED_ADDRESS, REQUESTED_TRANSPORT = 0x0012, 0x0014, 0x0015, 0x0016, 0x0019
UDP = 17
PATIENCE = 10  # seconds for one answer


def padded(value):
    return value + bytes(-len(value) % 4)


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + padded(value)


def message(method, transaction, attributes, key=None):
    """A request; with a key it is signed. The length that is signed includes MESSAGE-INTEGRITY: RFC 8489, 14.5."""
    body = b"".join(attribute(kind, value) for kind, value in attributes)
    header = lambda size: struct.pack("!HHI", method, size, MAGIC_COOKIE) + transaction
    if key is None:
        return header(len(body)) + body
    signature = hmac.new(key, header(len(body) + 24) + body, hashlib.sha1).digest()
    return header(len(body) + 24) + body + attribute(MESSAGE_INTEGRITY, signature)


def binding_request():
    return message(BINDING, os.urandom(12), [])


def attributes_of(answer):
    found, at = {}, 20
    while at < len(answer):
        kind, size = struct.unpack_from("!HH", answer, at)
        found.setdefault(kind, answer[at + 4:at + 4 + size])
        at += 4 + size + -size % 4
    return found


def xor_address(host, port):
    """IPv4. Its own inverse, on what stands behind the family."""
    number = struct.unpack("!I", socket.inet_aton(host))[0]
    return struct.pack("!BBHI", 0, 1, port ^ MAGIC_COOKIE >> 16, number ^ MAGIC_COOKIE)


def address_of(value):
    _, family, port, number = struct.unpack("!BBHI", value)
    assert family == 1, "an IPv4 address"
    return socket.inet_ntoa(struct.pack("!I", number ^ MAGIC_COOKIE)), port ^ MAGIC_COOKIE >> 16


def connect(server, source=None, tls=False):
    """A connected socket; over TLS after the handshake. Any certificate will do: others test that."""
    plain = socket.create_connection(server, PATIENCE, (source, 0) if source else None)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return any_certificate().wrap_socket(plain) if tls else plain


def any_certificate():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """One connection with an allocation and channels on it. Errors are exceptions: a test ends with them."""

    def __init__(self, stream, user, password):
        self.stream, self.user, self.password = stream, user, password
        self.realm = self.nonce = None
        self.received = b""
        self.data = []  # (channel, bytes) that came while an answer was waited for
        self.round_trips = []  # seconds

    def next_message(self):
        """The next whole message: ("stun", bytes) or (channel number, bytes)."""
        first, size = struct.unpack("!HH", self.take(4))
        if first >> 14 == 1:
            return first, self.take(size + -size % 4)[:size]
        return "stun", struct.pack("!HH", first, size) + self.take(16 + size)

    def take(self, size):
        while len(self.received) < size:
            more = self.stream.recv(65536)
            if not more:
                raise ConnectionError("the server has closed the connection")
            self.received += more
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def ask(self, method, attributes):
        """The attributes of a success answer; a challenge is answered once."""
        for _ in range(2):
            transaction, key = os.urandom(12), None
            all_attributes = list(attributes)
            if self.realm is not None:
                all_attributes += [(USERNAME, self.user), (REALM, self.realm), (NONCE, self.nonce)]
                key = hashlib.md5(b":".join((self.user, self.realm, self.password))).digest()
            began = time.monotonic()
            self.stream.sendall(message(method, transaction, all_attributes, key))
            answer = self.answer_to(transaction)
            self.round_trips.append(time.monotonic() - began)
            kind, found = struct.unpack_from("!H", answer)[0], attributes_of(answer)
            if kind == method | 0x100:
                return found
            code = found[ERROR_CODE][2] * 100 + found[ERROR_CODE][3]
            if code != 401 or self.realm is not None:
                break
            self.realm, self.nonce = found[REALM], found[NONCE]
        raise RuntimeError(f"method {method:#x} was answered {code}")

    def answer_to(self, transaction):
        while True:
            kind, whole = self.next_message()
            if kind != "stun":
                self.data.append((kind, whole))
            elif whole[8:20] == transaction:
                return whole

    def allocate(self):
        """The relayed transport address."""
        return address_of(self.ask(ALLOCATE, [(REQUESTED_TRANSPORT, bytes((UDP, 0, 0, 0)))])[XOR_RELAYED_ADDRESS])

    def bind_channel(self, number, peer):
        self.ask(CHANNEL_BIND, [(CHANNEL_NUMBER, struct.pack("!HH", number, 0)), (XOR_PEER_ADDRESS, xor_address(*peer))])
