"""A peer that sends numbered datagrams of 1000 bytes, in trains that the kernel takes as one (UDP_SEGMENT).

trains.py FROM_ADDRESS FROM_PORT TO_ADDRESS TO_PORT COUNT [A_SECOND]      without A_SECOND: back to back
"""
import socket
import struct
import sys
import time

UDP_SEGMENT = 103
SIZE, TRAIN = 1000, 20


def datagram(number):
    """The number, and bytes that differ from those of every other number."""
    return struct.pack("!I", number) * (SIZE // 4)


def main():
    here, here_port, there, there_port, count = sys.argv[1:6]
    pause = TRAIN / float(sys.argv[6]) if len(sys.argv) > 6 else 0
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
    sender.bind((here, int(here_port)))
    sender.connect((there, int(there_port)))
    due = time.monotonic()
    for first in range(0, int(count), TRAIN):
        time.sleep(max(0.0, due - time.monotonic()))
        due += pause
        sender.send(b"".join(datagram(n) for n in range(first, min(first + TRAIN, int(count)))))


if __name__ == "__main__":
    main()
