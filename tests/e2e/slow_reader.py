"""A client over TCP or TLS that has a channel to a peer and then reads one byte a second, until it is ended.

slow_reader.py tcp|tls SERVER PORT SOURCE USER PASSWORD PEER PEER_PORT FILE     FILE: gets its relayed address and port
"""
import os
import sys
import time

from turn_client import Client, connect


def main():
    kind, server, port, source, user, password, peer, peer_port, file = sys.argv[1:]
    stream = connect((server, int(port)), source, kind == "tls")
    client = Client(stream, user.encode(), password.encode())
    relayed = client.allocate()
    client.bind_channel(0x4000, (peer, int(peer_port)))
    with open(file + ".new", "w") as out:
        print(*relayed, file=out)
    os.rename(file + ".new", file)
    stream.settimeout(None)
    while stream.recv(1):
        time.sleep(1)
    sys.exit("the server closed the slow reader's connection")


if __name__ == "__main__":
    main()
