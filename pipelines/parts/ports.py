"""Ports: free ones for servers of one's own, and whether those that we are going to listen on are free."""

from __future__ import annotations

import contextlib
import functools
import random
import socket
from collections.abc import Iterator

import psutil

from configs import Settings
from configs.errors import PortBusyError

OWN_PORTS = range(16_000, 32_000)
"""Below the ports that Linux (from 32768) and others (from 49152) give to outgoing connections. One of those could be
taken before a server listens on it; and who tries to reach a server that is away could be given the very port that it
tries, be connected to itself, and keep the server from coming back."""


def require_free_ports(settings: Settings) -> None:
    """Check the service's port, and the embedded Redis's if that is to be started.

    Raises:
        PortBusyError: another process listens; the message says which setting names another port.
    """
    require_free(settings.serving.host, settings.serving.port, "the service", "TILLWISE_SERVING__PORT")
    if settings.redis.url is None:
        require_free("127.0.0.1", settings.redis.port, "the embedded Redis", "TILLWISE_REDIS__PORT")


def free_port() -> int:
    """Return a port on 127.0.0.1 that nothing listens on now, and that this process was not given before.

    Raises:
        PortBusyError: there is none left.
    """
    for port in _untried():
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise PortBusyError(f"No port of {OWN_PORTS[0]} to {OWN_PORTS[-1]} is free on 127.0.0.1: stop what listens there.")


@functools.cache
def _untried() -> Iterator[int]:
    return iter(random.SystemRandom().sample(OWN_PORTS, len(OWN_PORTS)))


def require_free(host: str, port: int, what: str, variable: str) -> None:
    """Check one port.

    Args:
        host, port: where `what` is going to listen. variable: names another port.

    Raises:
        PortBusyError: another process listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # Connections of an earlier run that the system still remembers do not count as busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortBusyError(
                f"{what[0].upper()}{what[1:]} cannot listen on {host}:{port} ({_reason(error, port)}): stop what "
                f"listens there, or choose another port, as in {variable}={port + 1}."
            ) from None


def _reason(error: OSError, port: int) -> str:
    try:
        listening = psutil.net_connections("tcp")
    except psutil.Error:  # not every system tells everybody
        listening = []
    for connection in listening:
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return f"process {connection.pid}, {psutil.Process(connection.pid).name()}, listens there"
    return (error.strerror or str(error)).lower()
