"""Runs a command under the restrictions of a systemd unit that need no systemd: its system call filter, its address
families, no new privileges, its file mode mask and its number of descriptors.

  restricted.py UNIT COMMAND [ARGUMENT]...

Capabilities, users and file systems are for setpriv and unshare, which run this."""

import ctypes
import errno
import os
import platform
import resource
import socket
import struct
import subprocess
import sys

ALLOW, REFUSE = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
NUMBER_AT, ARCHITECTURE_AT, ARGUMENT_AT = 0, 4, 16  # struct seccomp_data, little-endian
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def settings_of(unit):
    found = {}
    for line in open(unit, encoding="utf-8"):
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            found.setdefault(name, []).append(value)
    return found


def calls_of(name):
    """The system calls of a name, or of a @group and the groups in it."""
    if not name.startswith("@"):
        return {name}
    lines = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], check=True, text=True, capture_output=True)
    words = [line.strip() for line in lines.stdout.splitlines()[1:]]
    return set().union(*(calls_of(word) for word in words if word and not word.startswith("#")))


def allowed_calls(lines):
    """As systemd.exec(5) says: the first line is what is allowed, later ones add, and take away behind a ~."""
    allowed = set()
    for line in lines:
        named = set().union(*(calls_of(word) for word in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def numbers_of_calls():
    text = subprocess.run(["cc", "-dM", "-E", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], check=True, text=True, capture_output=True)
    words = [line.split() for line in text.stdout.splitlines() if line.startswith("#define __NR_")]
    return {w[1].removeprefix("__NR_"): int(w[2]) for w in words if len(w) == 3 and w[2].isdigit()}


def program(calls, families):
    def instruction(code, value, if_true=0, if_false=0):
        return struct.pack("HBBI", code, if_true, if_false, value)

    numbers = numbers_of_calls()
    refuse = instruction(RETURN, REFUSE | errno.EPERM)
    lines = [instruction(LOAD, ARCHITECTURE_AT), instruction(JUMP_IF_EQUAL, ARCHITECTURES[platform.machine()], 1, 0), refuse, instruction(LOAD, NUMBER_AT)]
    lines += [instruction(JUMP_IF_EQUAL, numbers["socket"], 0, 2 + 2 * len(families)), instruction(LOAD, ARGUMENT_AT)]
    for family in families:
        lines += [instruction(JUMP_IF_EQUAL, family, 0, 1), instruction(RETURN, ALLOW)]
    lines.append(instruction(RETURN, REFUSE | errno.EAFNOSUPPORT))
    for name in sorted(calls & numbers.keys()):
        lines += [instruction(JUMP_IF_EQUAL, numbers[name], 0, 1), instruction(RETURN, ALLOW)]
    return lines + [refuse]


def restrict(lines):
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(b"".join(lines))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)))
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header))):
        words = [ctypes.c_ulong(a) for a in arguments] + [ctypes.c_ulong(0)] * 2
        if libc.prctl(*words) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")


unit, command = settings_of(sys.argv[1]), sys.argv[2:]
families = [getattr(socket, name) for name in " ".join(unit["RestrictAddressFamilies"]).split()]
filter_of_unit = program(allowed_calls(unit["SystemCallFilter"]), families)
most = int(unit["LimitNOFILE"][0])
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), min(most, hard)))
os.umask(int(unit["UMask"][0], 8))
restrict(filter_of_unit)
os.execvp(command[0], command)
