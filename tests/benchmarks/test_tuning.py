"""The search for settings of the trees keeps to its budget and judges every trial on the same held-back draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tuning import halves, ndcg_of, present, search, table_of
from configs import Settings
from configs.errors import ConfigError
from training.examples import Examples


def of_groups(*sizes: int) -> Examples:
    """Return draws of so many candidates, the last of each being the hidden one."""
    label = np.concatenate([np.arange(size) == size - 1 for size in sizes]).astype(np.int8)
    features = np.arange(label.size, dtype=np.float32)[:, None]
    return Examples(features, label, np.array(sizes, dtype=np.int32), len(sizes))


def test_the_present_settings_come_first_and_the_budget_is_kept(built_shop: Settings, tmp_path: Path) -> None:
    (tmp_path / "training").symlink_to(built_shop.work.training)
    training = built_shop.training.model_copy(update={"trees": 5})
    settings = Settings(**(built_shop.model_dump() | {"home": tmp_path, "training": training.model_dump()}))
    tried = search(settings, 2, 5.0, 200)
    assert [trial.ndcg for trial in tried] == sorted((trial.ndcg for trial in tried), reverse=True)
    ours = next(trial for trial in tried if trial.chosen == pytest.approx(present(training)))
    assert (ours.lead.value, ours.lead.low, ours.lead.high) == (0.0, 0.0, 0.0)
    other = next(trial for trial in tried if trial is not ours)
    assert other.lead.value == pytest.approx(other.ndcg - ours.ndcg)
    assert all(trial.trees <= 5 for trial in tried)
    assert table_of(tried).row_count == len(tried) == 2
    report = json.loads((tmp_path / "reports" / "tuning.json").read_text())
    assert report["budget"] == {"trials": 2, "minutes": 5.0}
    assert report["draws"] == 200


def test_ndcg_falls_with_the_place_of_the_hidden_candidate() -> None:
    examples = of_groups(3, 12, 2)
    assert ndcg_of(examples, examples.features[:, 0].astype(float)).tolist() == [1.0, 1.0, 1.0]
    upside_down = ndcg_of(examples, -examples.features[:, 0].astype(float))
    np.testing.assert_allclose(upside_down, [1 / np.log2(4), 0.0, 1 / np.log2(3)])


def test_halves_share_no_draw_and_leave_none_out() -> None:
    stop, judge = halves(of_groups(3, 4, 5))
    assert (stop.group.tolist(), judge.group.tolist()) == ([3, 5], [4])
    assert judge.features[:, 0].tolist() == [3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize("budget", [(0, 1.0, 10), (1, 0.0, 10), (1, 1.0, 0)])
def test_an_empty_budget_is_refused(built_shop: Settings, budget: tuple[int, float, int]) -> None:
    with pytest.raises(ConfigError, match="give at least 1"):
        search(built_shop, *budget)
