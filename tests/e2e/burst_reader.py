"""A client over TCP or TLS that gets COUNT datagrams of trains.py over a channel: all of them, in order, exact.

burst_reader.py tcp|tls SERVER PORT USER PASSWORD PEER PEER_PORT COUNT MILLISECONDS FILE
MILLISECONDS: what every round trip to the server must take at least. FILE: gets its relayed address and port.
"""
import os
import sys
import time

from trains import datagram
from turn_client import Client, connect


def main():
    kind, server, port, user, password, peer, peer_port, count, milliseconds, file = sys.argv[1:]
    began = time.monotonic()
    stream = connect((server, int(port)), tls=kind == "tls")
    connecting = time.monotonic() - began
    client = Client(stream, user.encode(), password.encode())
    relayed = client.allocate()
    client.bind_channel(0x4000, (peer, int(peer_port)))
    shortest = min(client.round_trips + [connecting])
    print(f"round trips take {shortest * 1000:.1f} ms or more")
    assert shortest >= float(milliseconds) / 1000, "the path is longer"
    with open(file + ".new", "w") as out:
        print(*relayed, file=out)
    os.rename(file + ".new", file)

    times = []
    for number in range(int(count)):
        channel, data = client.data.pop(0) if client.data else client.next_message()
        times.append(time.monotonic())
        assert channel == 0x4000, f"{channel} instead of data"
        assert data == datagram(number), f"not datagram {number} but something of {len(data)} bytes"
    print(f"{count} datagrams, the last {(times[-1] - times[0]) * 1000:.0f} ms after the first")


if __name__ == "__main__":
    main()
