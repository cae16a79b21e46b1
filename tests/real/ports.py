"""Ports for the servers of the tests."""

import os
import socket
import sys

# Below the range from which the kernel takes ports for connections.
FIRST, END = 20_000, 32_000


def own_ports(count):
    """Free ports outside of the range for connections. So a port stays free until its server starts, and while the server
    restarts. Each process begins its search at another number."""
    begin, ports = os.getpid() * 7 % (END - FIRST), []
    for step in range(END - FIRST):
        port = FIRST + (begin + step) % (END - FIRST)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                continue
        if len(ports) == count:
            return ports
    sys.exit("there are no free ports")
