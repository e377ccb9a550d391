"""What the notebooks share: pictures in one style, and findings that are both read and kept.

Everything lands in `reports/notebooks/NAME/` of the work folder: one PNG a picture, and `findings.json` with the
numbers behind the sentences.
"""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from configs import Settings
from configs.home import write_json
from configs.provenance import provenance
from features.history import ingest_record
from training.evaluation.plots import BLUE, GREEN, GREY, ORANGE, STYLE

SKY, PINK, AMBER, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#E69F00", "#F0E442", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY, BLACK, YELLOW)
"""Okabe and Ito 2008: apart for colour-blind readers too. For amounts, use the map `cividis`."""

__all__ = ["BLACK", "BLUE", "COLOURS", "GREEN", "GREY", "ORANGE", "PINK", "SKY", "Notes", "short"]


class Notes:
    """The findings and pictures of one notebook."""

    def __init__(self, name: str, settings: Settings) -> None:
        mpl.rcParams.update(STYLE | {"figure.constrained_layout.use": True, "axes.grid": False})
        self.folder = settings.work.reports / "notebooks" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("*.png"):
            old.unlink()
        self.record = ingest_record(settings.work.data)
        self._findings = provenance(f"python notebooks/{name}.py", self.record["fingerprint"]) | {"says": []}

    def say(self, sentence: str, **numbers: Any) -> str:
        """Print a sentence, keep it with its numbers, and return it."""
        print(textwrap.fill(sentence, 110), end="\n\n")
        self._findings["says"].append(sentence)
        self._findings |= {name: _plain(value) for name, value in numbers.items()}
        write_json(self.folder / "findings.json", self._findings)
        return sentence

    def keep(self, figure: Figure, name: str, title: str = "") -> None:
        """Save a picture as `name`.png, its title wrapped to the picture's width; shown too where a person looks."""
        if title:
            width = int(figure.get_figwidth() * 9.4)
            figure.suptitle(textwrap.fill(title, width), x=0.01, ha="left", fontsize=13)
        figure.savefig(self.folder / f"{name}.png")
        if "inline" in mpl.get_backend():  # in a notebook's page; a window would stop a plain run at each picture
            plt.show()
        plt.close(figure)


def short(text: str, width: int = 34) -> str:
    """Return a title that fits beside an axis."""
    return textwrap.shorten(text, width, placeholder=" …")


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
