"""Secret keys that requests carry, compared in a time that tells nothing of them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from pydantic import SecretStr


class KnownKeys:
    """The keys that open something; falsy without any."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        self._digests = [_digest(key.get_secret_value()) for key in keys]

    def __len__(self) -> int:
        return len(self._digests)

    def hold(self, told: str) -> bool:
        """Return whether `told` is one of them; all are compared, and digests are of one length."""
        digest = _digest(told)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
