"""900 connections that will never have an allocation, from many addresses: idle ones, junk, half TLS handshakes.

crowd.py SERVER PORT TLS_PORT TIME_OUT OPENED SOURCE...
Junk must be closed at once, the others after TIME_OUT seconds and not before; else it ends with words and status 1.
OPENED: a file that appears when all have been opened.
"""
import collections
import itertools
import random
import resource
import selectors
import ssl
import sys
import time

from turn_client import any_certificate, binding_request, connect

AT_ONCE = 2.0  # seconds, on a busy machine
SLACK = 3.0  # seconds a time-out may be late
random.seed(8656)  # the same junk every time; the first bytes of it could be a message once in a million

HTTP = b"GET /index.html HTTP/1.1\r\nHost: turn.example.org\r\nAccept: */*\r\n\r\n"


def junk():
    return random.randbytes(16384)


def client_hello():
    to_server = ssl.MemoryBIO()
    session = any_certificate().wrap_bio(ssl.MemoryBIO(), to_server)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return to_server.read()


def huge_client_hello():
    return b"\x16\x03\x01\x02\x00" + b"\x01" + (131000).to_bytes(3, "big") + b"\x03\x03" + bytes(58)


def half(data):
    return data[:len(data) // 2]


# How many, where, after a valid Binding request or not, what they say then, and whether they are closed at once.
Kind = collections.namedtuple("Kind", "name count where greets says at_once")
KINDS = [
    Kind("random bytes", 40, "tcp", False, junk, True),
    Kind("random bytes after a request", 40, "tcp", True, junk, True),
    Kind("HTTP", 20, "tcp", False, lambda: HTTP, True),
    Kind("HTTP after a request", 20, "tcp", True, lambda: HTTP, True),
    Kind("random bytes instead of TLS", 20, "half", False, junk, True),
    Kind("the beginning of 131 000 bytes of ClientHello", 20, "half", False, huge_client_hello, True),
    Kind("HTTP instead of TLS", 20, "half", False, lambda: HTTP, True),
    Kind("HTTP over TLS", 20, "tls", False, lambda: HTTP, True),
    Kind("silence", 250, "tcp", False, None, False),
    Kind("silence after a request", 250, "tcp", True, None, False),
    Kind("half a ClientHello", 100, "half", False, lambda: half(client_hello()), False),
    Kind("a ClientHello and silence", 100, "half", False, client_hello, False),
]


class Crowd:
    def __init__(self):
        self.watched = selectors.DefaultSelector()
        self.lives = collections.defaultdict(list)  # seconds, by kind

    def open(self, kind, server, port, source):
        began = time.monotonic()
        stream = connect((server, port), source, kind.where == "tls")
        try:
            if kind.greets:
                stream.sendall(binding_request())
                assert stream.recv(65536), "an answer to a Binding request"
            if kind.at_once:
                began = time.monotonic()
            if kind.says:
                stream.sendall(kind.says())
        except ConnectionError:
            return self.lives[kind].append(time.monotonic() - began)
        stream.setblocking(False)
        self.watched.register(stream, selectors.EVENT_READ, (kind, began))

    def sweep(self, seconds):
        """Reads what there is, and notes who has been closed."""
        for key, _ in self.watched.select(seconds):
            kind, began = key.data
            try:
                if key.fileobj.recv(65536):
                    continue
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except OSError:  # a reset, or TLS cut off: closed, too
                pass
            self.lives[kind].append(time.monotonic() - began)
            self.watched.unregister(key.fileobj)
            key.fileobj.close()

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while self.watched.get_map() and time.monotonic() < until:
            self.sweep(0.1)

    def judge(self, time_out):
        complaints = []
        for kind in KINDS:
            lives, least, most = self.lives[kind], 0.0, AT_ONCE
            if not kind.at_once:
                least, most = time_out - 0.1, time_out + SLACK
            if len(lives) < kind.count or min(lives) < least or max(lives) > most:
                complaints.append(f"{kind.name}: {kind.count} were to be closed within {least} to {most} s")
            spread = f"after {min(lives):.3f} to {max(lives):.3f} s" if lives else ""
            print(f"{kind.name}: {len(lives)} of {kind.count} closed {spread}")
        return complaints


def main():
    server, port, tls_port, time_out, opened, *sources = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    crowd, source = Crowd(), itertools.cycle(sources)
    for kind in KINDS:
        for _ in range(kind.count):
            crowd.open(kind, server, int(port if kind.where == "tcp" else tls_port), next(source))
            crowd.sweep(0)
    with open(opened, "w") as file:
        print(time.monotonic(), file=file)
    crowd.wait(float(time_out) + SLACK)
    complaints = crowd.judge(float(time_out))
    sys.exit("; ".join(complaints) or 0)


if __name__ == "__main__":
    main()
