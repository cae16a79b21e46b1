"""Ports for the servers of the tests."""

import os
import socket
import sys


def own_ports(count):
    """Free ports outside of the range from which connections get theirs, so that a server can come back to its port. Each
    process has ports of its own."""
    first, ports = 20_000 + os.getpid() % 1_700 * 7, []
    for port in range(first, first + 7):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                pass
    if len(ports) < count:
        sys.exit("there are no free ports")
    return ports[:count]
