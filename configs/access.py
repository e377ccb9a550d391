"""Settings of who may do what: keys, limits, and what browsers are told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from configs.section import Secret, Section

Scope = Literal["collect", "recommend", "operate"]

SHORTEST_OPERATOR_KEY = 16
"""Characters: a key that reads and erases people's profiles must not be guessed."""


def _fit_for_headers(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if not text or text.strip() != text or not (text.isascii() and text.isprintable()) or ":" in text:
        raise ValueError(
            "a key travels in HTTP headers: expected printable ASCII characters, no colon, no space around it"
        )
    return key


Origin = Annotated[str, Field(pattern=r"^(\*|https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?)$")]
"""As browsers send it: scheme, host, port if it is not the scheme's; or * for any."""


class KeySettings(Section):
    """A key that requests carry."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$", description="what people call it; shown where it is limited"
    )
    key: Annotated[Secret, AfterValidator(_fit_for_headers)] = Field(description="the secret itself")
    scopes: tuple[Scope, ...] = Field(
        min_length=1,
        description="collect: send events. recommend: ask for recommendations. operate: read and erase profiles",
    )
    requests_per_second: float | None = Field(default=None, gt=0, description="what it may ask for; null: no limit")
    burst: int | None = Field(default=None, ge=1, description="requests at once; null: those of one second")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if "operate" in self.scopes and len(self.key.get_secret_value()) < SHORTEST_OPERATOR_KEY:
            raise ValueError(
                f"the key named {self.name!r} has the scope operate and is too short: give it at least "
                f"{SHORTEST_OPERATOR_KEY} characters, best random ones"
            )
        if self.burst is not None and self.requests_per_second is None:
            raise ValueError(f"the key named {self.name!r} has a burst without requests_per_second: give both")
        return self


class AccessSettings(Section):
    """Who may use the service, how much, and from which pages."""

    keys: tuple[KeySettings, ...] = Field(
        description="a scope that some key has is closed to requests without such a key. Without one, everybody may "
        "collect and recommend, and nobody operate. As a variable: TILLWISE_ACCESS__KEYS="
        '\'[{"name": "shop", "key": "SECRET", "scopes": ["collect", "recommend"]}]\''
    )
    page_key: str | None = Field(
        description="name of the key that the demo checkout page is handed, for all who open it to see; made for it "
        "alone. null: none, and where keys are asked for the page can do less"
    )
    anonymous_requests_per_second: float | None = Field(
        gt=0,
        description="what a client address may ask for without a key; null: no limit. Behind a proxy, name it in "
        "uvicorn's variable FORWARDED_ALLOW_IPS: else its address is everybody's",
    )
    anonymous_burst: int | None = Field(ge=1, description="requests at once; null: those of one second")
    origins: tuple[Origin, ...] = Field(
        description="origins, such as https://shop.example, whose pages may call the service (CORS); none: only its own"
    )
    frame_ancestors: tuple[Origin, ...] = Field(description="origins whose pages may frame ours; none: nobody's")
    https: bool = Field(
        description="whether clients come by https alone; browsers are then told to stay with it (HSTS)"
    )
    handler_seconds: float = Field(
        gt=0, lt=5, description="longest that a request may take, its body included; then it is answered 408 or 503"
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _refuse_twice("name", [key.name for key in self.keys])
        if len({key.key.get_secret_value() for key in self.keys}) < len(self.keys):
            raise ValueError("two of the keys are the same secret: give each name a key of its own")
        if self.page_key is not None:
            self._check_page_key(self.page_key)
        if self.anonymous_burst is not None and self.anonymous_requests_per_second is None:
            raise ValueError("anonymous_burst limits nothing without anonymous_requests_per_second: give both")
        return self

    def named(self, name: str | None) -> KeySettings | None:
        """Return the key of a name, None if there is none."""
        return next((key for key in self.keys if key.name == name), None)

    def key_for(self, scope: Scope) -> SecretStr | None:
        """Return a key with a scope, one without a limit if there is one; None if the scope is open, or closed."""
        fit = [key for key in self.keys if scope in key.scopes]
        return min(fit, key=lambda key: key.requests_per_second is not None).key if fit else None

    def _check_page_key(self, name: str) -> None:
        key = self.named(name)
        if key is None:
            known = ", ".join(key.name for key in self.keys) or "none"
            raise ValueError(f"page_key names {name!r}, but access.keys has no key of that name (it has: {known})")
        if "operate" in key.scopes:
            raise ValueError(f"page_key names {name!r}, which may operate: everybody can read what the page holds")


def burst_of(requests_per_second: float, burst: int | None) -> int:
    """Return how many requests may come at once: as set, else those of one second."""
    return max(1, math.ceil(requests_per_second)) if burst is None else burst


def scopes_of(keys: Iterable[KeySettings]) -> frozenset[Scope]:
    """Return the scopes that some key has."""
    return frozenset(scope for key in keys for scope in key.scopes)


def _refuse_twice(what: str, told: Sequence[str]) -> None:
    twice = sorted({one for one in told if told.count(one) > 1})
    if twice:
        raise ValueError(f"two keys have the {what} {twice[0]!r}: give each a {what} of its own")
