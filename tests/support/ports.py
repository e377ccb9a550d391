"""Free ports for real servers."""

from pipelines.parts.ports import free_port

__all__ = ["free_port"]
