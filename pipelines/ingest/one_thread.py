"""Imported first in the process that reads PDFs: its layout model computes in one thread.

PyMuPDF gives ONNX Runtime no number of threads, which then takes one for each core; between its small steps
they wait by looping, which was seen to cost as much processor time as the work itself.
"""

from __future__ import annotations

import onnxruntime  # type: ignore[import-untyped]


class _OneThread(onnxruntime.SessionOptions):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.intra_op_num_threads = 1
        self.inter_op_num_threads = 1


onnxruntime.SessionOptions = _OneThread
