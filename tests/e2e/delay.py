"""A path between two network namespaces on which every IP packet takes its time: a TUN device in each, and this between.

delay.py NAMESPACE ADDRESS NAMESPACE ADDRESS MILLISECONDS READY     READY: a file that appears when the path is there
Nothing is lost or reordered. The kernel's own means for it (netem) is a module that not every machine has.
"""
import collections
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def end_of_path(namespace, address):
    """The descriptor of a new device called far; it works from any namespace."""
    enter(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"far", IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "address", "add", f"{address}/24", "dev", "far"], check=True)
    subprocess.run(["ip", "link", "set", "far", "up"], check=True)
    return device


def forward(one, other, delay):
    across = {one: other, other: one}
    waiting = collections.deque()  # (due, to, packet)
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select((one, other), (), (), left)
        for device in ready:
            try:
                while True:
                    packet = os.read(device, 65536)
                    waiting.append((time.monotonic() + delay, across[device], packet))
            except BlockingIOError:
                pass
        while waiting and waiting[0][0] <= time.monotonic():
            _, device, packet = waiting.popleft()
            os.write(device, packet)


def main():
    near, near_address, far, far_address, milliseconds, ready = sys.argv[1:]
    devices = end_of_path(near, near_address), end_of_path(far, far_address)
    with open(ready, "w") as file:
        print("ready", file=file)
    forward(*devices, float(milliseconds) / 1000)


if __name__ == "__main__":
    main()
