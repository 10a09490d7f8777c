"""Stands in for systemd: prints what a service says to $NOTIFY_SOCKET, a line for each message. Usage: notified.py SOCKET"""

import os
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
while True:
    print(receiver.recv(4096).decode().replace("\n", " "), flush=True)
