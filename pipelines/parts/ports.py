"""Ports: free ones for servers of one's own, and whether those that we are going to listen on are free."""

from __future__ import annotations

import socket

import psutil

from configs import Settings
from configs.errors import PortBusyError


def require_free_ports(settings: Settings) -> None:
    """Check the service's port, and the embedded Redis's if that is to be started.

    Raises:
        PortBusyError: another process listens; the message says which setting names another port.
    """
    require_free(settings.serving.host, settings.serving.port, "the service", "TILLWISE_SERVING__PORT")
    if settings.redis.url is None:
        require_free("127.0.0.1", settings.redis.port, "the embedded Redis", "TILLWISE_REDIS__PORT")


def free_port() -> int:
    """Return a port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
