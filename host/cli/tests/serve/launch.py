"""Starts a program with sockets that are open, as a service manager does.

launch.py [KIND=NAME…] -- PROGRAM ARGUMENT…

With PASS=number in the environment the sockets are passed by their numbers alone,
with PASS=stranger for another process, with PASS=nameless without names, and with
PASS=count with a count that is none.
"""

import os
import socket
import sys


# What has to stay open besides, so that those that are passed are what they are.
others = []


def opened(kind):
    if kind == "tcp":
        return listening(socket.AF_INET, ("127.0.0.1", 0))
    if kind == "tcp6":
        return listening(socket.AF_INET6, ("::1", 0))
    if kind == "dual":
        return listening(socket.AF_INET6, ("::", 0))
    if kind.startswith("unix:"):
        return listening(socket.AF_UNIX, kind[len("unix:"):])
    if kind == "udp":
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
        return one
    if kind == "unbound-udp":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if kind == "not-listening":
        one = socket.socket()
        one.bind(("127.0.0.1", 0))
        return one
    if kind == "connected":
        server = listening(socket.AF_INET, ("127.0.0.1", 0))
        others.append(server)
        return socket.create_connection(server.getsockname())
    if kind == "connected-udp":
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
        one.connect(("127.0.0.1", 9))
        return one
    if kind == "pair":
        one, other = socket.socketpair()
        others.append(other)
        return one
    if kind == "packets":
        one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        one.bind(b"\0portcullis-packets-%d" % os.getpid())
        one.listen()
        return one
    if kind == "netlink":
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
    if kind == "raw":
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    if kind == "pipe":
        return os.pipe()[0]
    if kind == "file":
        return os.open("/dev/null", os.O_RDWR)
    raise SystemExit(f"no such kind: {kind}")


def listening(family, address):
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(address)
    one.listen()
    return one


separator = sys.argv.index("--")
kinds, program = sys.argv[1:separator], sys.argv[separator + 1:]
named = [kind.split("=", 1) for kind in kinds]
sockets = [opened(kind) for kind, _ in named]
numbers = [one if isinstance(one, int) else one.fileno() for one in sockets]
# Out of the way of where they are to be.
for other in others:
    os.set_inheritable(other.fileno(), True)
    os.dup2(other.fileno(), 200)
high = [os.dup2(number, 100 + index) for index, number in enumerate(numbers)]
for index, number in enumerate(high):
    os.dup2(number, 3 + index)
    os.close(number)
if os.environ.get("PASS") != "number":
    stranger = os.environ.get("PASS") == "stranger"
    os.environ["LISTEN_PID"] = "1" if stranger else str(os.getpid())
    count = os.environ.get("PASS") == "count"
    os.environ["LISTEN_FDS"] = "x" if count else str(len(named))
    if os.environ.get("PASS") != "nameless":
        os.environ["LISTEN_FDNAMES"] = ":".join(name for _, name in named)
os.execv(program[0], program)
