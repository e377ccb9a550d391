"""An ONNX model that answers requests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class OnnxScorer:
    """Scores feature matrices with one ONNX model, in the calling thread. One instance a process.

    Args:
        model: serialised, as `training.student.export` makes it.
    """

    def __init__(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One thread: a request is too small to share, and idle workers would spin against a busy server's others.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.enable_mem_pattern = False  # plans memory for equal shapes, but every request has its own row count
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64[rows] of float32[rows, columns], NaN being unknown: the higher, the better the candidate."""
        found: NDArray[np.float32] = self._session.run(["score"], {"features": features})[0]
        return found.astype(np.float64)
