"""Who may read and erase profiles and see scores taken apart: bearers of an operator key."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.exceptions import NotAuthorizedException, NotFoundException
from pydantic import SecretStr

from configs.keys import KnownKeys


def require_operator(authorization: str | None, keys: Sequence[SecretStr], what: str = "Profiles are") -> None:
    """Check the Authorization header of a request.

    Args:
        authorization: as sent, None if it was not. keys: those that the settings name.
        what: that they open, as the beginning of a sentence.

    Raises:
        NotFoundException: no key is set up, so this does not exist.
        NotAuthorizedException: the header holds none of the keys.
    """
    if not keys:
        raise NotFoundException(f"{what} not open to anybody: name a key in the setting serving.operator_keys.")
    scheme, _, told = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not told:
        raise NotAuthorizedException("This takes an operator key: send the header Authorization: Bearer KEY.")
    if not KnownKeys(keys).hold(told.strip()):
        raise NotAuthorizedException("This operator key is not known.")
