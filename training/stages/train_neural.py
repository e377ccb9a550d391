"""Stage `train_neural`: trains the network on the examples.

Comes in: the work folder's `training/examples`. Goes out: `training/neural`. Independent of `train_gbm`.
"""

from __future__ import annotations

from configs import Progress, Settings, StageReport
from configs.home import replace_directory
from training.arrays import save_named
from training.neural.fit import fit_network
from training.stages.files import NEURAL, newest_examples, write_ranker_record


def train_neural(settings: Settings, progress: Progress) -> StageReport:
    """Fit the neural ranker to the newest examples and write its arrays.

    Raises:
        NotBuiltError: there are no examples.
        ConfigError: the settings ask for a GPU that is not there.
    """
    made, examples = newest_examples(settings.work)
    network = fit_network(examples.learn, settings.neural, lambda share: progress.update("training the network", share))
    with replace_directory(settings.work.training / NEURAL) as folder:
        save_named(folder, network.arrays())
        write_ranker_record(folder, NEURAL, made)
    return StageReport(
        "train_neural",
        read={"candidate rows": int(examples.learn.label.size)},
        wrote={"weights": sum(int(weight.size) for weight in network.weights)},
        metrics={"examples": made.content},
    )
