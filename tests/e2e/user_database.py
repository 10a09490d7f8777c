"""Clients over TCP, and another program at the database, told what to do line by line; a line answers each. Words are divided by tabs.

user_database.py SERVER PORT PEER PEER_PORT
    login NAME PASSWORD     allocated, or refused with its code; nothing is kept
    keep NAME PASSWORD      the same, and the relay stays with a channel to the peer
    echo NAME               through the relay that was kept, to the peer and back, and a request about it
    backup FILE COPY        of a database that is in use
    lock FILE | unlock      keeps a database from everybody else
"""
import os
import sqlite3
import sys

import turn_client

SERVER, PEER = (sys.argv[1], int(sys.argv[2])), (sys.argv[3], int(sys.argv[4]))
kept, locked = {}, []


def allocated(name, password):
    client = turn_client.Client(turn_client.connect(SERVER), name.encode(), password.encode())
    client.allocate()
    return client


def login(name, password):
    allocated(name, password).stream.close()
    return "allocated"


def keep(name, password):
    kept[name] = allocated(name, password)
    kept[name].bind_channel(0x4000, PEER)
    return "allocated"


def echo(name):
    client, text = kept[name], os.urandom(20)
    client.stream.sendall(b"\x40\x00\x00\x14" + text)
    channel, back = client.data.pop(0) if client.data else client.next_message()
    client.bind_channel(0x4000, PEER)
    return "echoed" if (channel, back) == (0x4000, text) else "something else came back"


def backup(file, copy):
    with sqlite3.connect(copy) as to:
        sqlite3.connect(file).backup(to)
    to.close()
    return "copied"


def lock(file):
    locked.append(sqlite3.connect(file, isolation_level=None))
    locked[0].execute("PRAGMA locking_mode = EXCLUSIVE")
    locked[0].execute("BEGIN EXCLUSIVE")
    return "locked"


def unlock():
    locked.pop().close()
    return "unlocked"


for line in sys.stdin:
    verb, *words = line.rstrip("\n").split("\t")
    try:
        answer = {"login": login, "keep": keep, "echo": echo, "backup": backup, "lock": lock, "unlock": unlock}[verb](*words)
    except Exception as error:  # what went wrong is the answer
        answer = f"{type(error).__name__}: {error}"
    print(answer, flush=True)
