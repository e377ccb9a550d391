"""Contributions of each item that is shown: the arm's own, and what the rules added. In a thread beside the loop."""

from __future__ import annotations

import asyncio

from features.context import Context
from serving.rules import Chosen
from training.contributions import Explainer


async def contributions(explainer: Explainer, context: Context, chosen: Chosen, arm: str) -> list[dict[str, float]]:
    """Return for each chosen product what adds up to its score: by feature, and what the rules added as `rules`."""
    return await asyncio.to_thread(_contributions, explainer, context, chosen, arm)


def _contributions(explainer: Explainer, context: Context, chosen: Chosen, arm: str) -> list[dict[str, float]]:
    ranked = chosen.ranked
    own = iter(explainer.contributions(context, chosen.rows[ranked], (chosen.scores - chosen.added)[ranked], arm))
    found = []
    for by_arm, added in zip(ranked.tolist(), chosen.added.tolist(), strict=True):
        of_item = next(own) if by_arm else {}
        found.append(of_item | ({"rules": added} if added else {}))
    return found
