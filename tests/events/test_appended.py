"""Waiting for the append-only file: what is accepted outlives a server that is killed while its disk is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis.asyncio
from redis.exceptions import NoPermissionError

from configs import load_settings
from events import appended
from events.appended import until_appended
from events.brokers import connect
from events.embedded import EmbeddedRedis
from tests.events.builders import event
from tests.support.ports import free_port


class Told:
    """Stands for a Redis that tells (bytes in its file, bytes that it holds back), one after the other."""

    def __init__(self, answers: Sequence[tuple[int, int]]) -> None:
        self.left = list(answers)

    async def info(self, section: str) -> dict[str, int]:
        assert section == "persistence"
        size, held = self.left.pop(0)
        return {"aof_enabled": 1, "aof_current_size": size, "aof_buffer_length": held}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([(100, 0)], "nothing is held back"),
        ([(100, 7), (100, 7), (100, 9), (109, 0)], "what was held back is written"),
        ([(100, 7), (107, 50)], "ours is written, what others wrote since does not matter"),
        ([(100, 7), (40, 9), (48, 1), (49, 1)], "the file was rewritten meanwhile, which starts its size anew"),
    ],
)
def test_it_waits_until_what_was_answered_is_in_the_file_and_no_longer(
    answers: list[tuple[int, int]], why: str
) -> None:
    told = Told(answers)
    asyncio.run(until_appended(told))
    assert told.left == [], why


def test_a_server_without_such_a_file_or_that_does_not_tell_is_not_waited_for() -> None:
    class Silent:
        async def info(self, _: str) -> dict[str, int]:
            raise NoPermissionError("this user has no permissions to run the 'info' command")

    class Without:
        async def info(self, _: str) -> dict[str, int]:
            return {"aof_enabled": 0}

    asyncio.run(until_appended(Silent()))
    asyncio.run(until_appended(Without()))


def test_a_real_server_tells_what_is_asked_of_it(redis_url: str) -> None:
    async def inside() -> None:
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            await client.set("key", "value")
            assert {"aof_current_size", "aof_buffer_length"} <= set(await client.info("persistence"))
            await until_appended(client)

    asyncio.run(inside())


def test_events_are_accepted_only_once_they_are_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: object) -> None:
        raise TimeoutError("the file is never written")

    async def inside() -> None:
        with EmbeddedRedis(free_port(), tmp_path) as server:
            broker = connect(load_settings(redis={"url": server.url}))
            await broker.publish([event("Product Added", "p")])
            monkeypatch.setattr(appended, "until_appended", never)
            with pytest.raises(TimeoutError):
                await broker.publish([event("Product Added", "p")])
            await broker.close()

    asyncio.run(inside())
