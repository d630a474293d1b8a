"""Makes the tiny correction models that the tests use: one that leaves the classical estimator as it is, and wrong ones.

    python3 models/train/tiny_corrections.py test/fixtures/models

Needs Debian's python3-onnx. `correction-none` always says what an estimator that is right about itself would hear.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h

from tiny_models import Graph

LEVELS = [0.025, 0.1, 0.16, 0.25, 0.5, 0.75, 0.84, 0.9, 0.975]
NORMAL = [-1.95996, -1.28155, -0.99446, -0.67449, 0.0, 0.67449, 0.99446, 1.28155, 1.95996]
HORIZONS = [0, 0.5, 1, 2, 4]
WINDOW, FEATURES, GLOBALS, ROWS = 64, 12, 39, 6


def save(folder, name, change=None, rows=ROWS):
    """`change(graph, filled)` gives what is added to normal quantiles; `filled` is the share of the window in use."""
    g = Graph()
    cut = (g.constant([0], np.int64), g.constant([1], np.int64), g.constant([1], np.int64))
    filled = g.op("Slice", "globals", *cut)
    # Whatever is asked takes part, so that nothing is folded away.
    nothing = g.op("Mul", g.op("ReduceSum", "samples", keepdims=0), g.constant(0.0))
    more = nothing if change is None else g.op("Add", change(g, filled), nothing)
    out = g.op("Add", g.constant([[NORMAL] * rows]), more)
    inputs = [("samples", T.FLOAT, [1, WINDOW, FEATURES]), ("globals", T.FLOAT, [1, GLOBALS])]
    path = Path(folder) / f"{name}.onnx"
    g.save(str(path), inputs, [("quantiles", out, T.FLOAT, [1, rows, len(LEVELS)])])
    tensor = lambda values, *dims: {"dims": list(dims), "data": [float(v) for v in values]}
    card = {
        "schema": "escapement-model/1",
        "id": name,
        "task": "correction",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": "MIT",
        "source": "models/train/tiny_corrections.py",
        "tried": True,
        "opset": 17,
        "features": "residual-window/2",
        "inputs": [
            {"name": "samples", "role": "window", "layout": ["batch", "time", "feature"], "shape": [1, WINDOW, FEATURES]},
            {"name": "globals", "role": "globals", "layout": ["batch", "feature"], "shape": [1, GLOBALS]},
        ],
        "outputs": [
            {"name": "quantiles", "role": "quantiles", "layout": ["batch", "time", "quantile"], "shape": [1, rows, len(LEVELS)]},
        ],
        "parameters": {"horizons": HORIZONS, "levels": LEVELS},
        "golden": {
            "inputs": {
                "samples": tensor([0] * WINDOW * FEATURES, 1, WINDOW, FEATURES),
                "globals": tensor([0] * GLOBALS, 1, GLOBALS),
            },
            "outputs": {"quantiles": tensor(NORMAL * rows, 1, rows, len(LEVELS))},
            "tolerance": 1e-4,
        },
        "runtime": {"worker": name == "correction-slow"},
    }
    path.with_suffix(".json").write_text(json.dumps(card) + "\n")


def when_half_full(g, filled, value):
    return g.op("Where", g.op("Greater", filled, g.constant(0.5)), g.constant(value), g.constant(0.0))


def slow(g, filled):
    """Products of large matrices, one after the other, as many as the window is full."""
    body = Graph("body_")
    scaled = body.op("Div", body.op("MatMul", "carried", "carried"), body.constant(512.0))
    body.nodes.append(h.make_node("Identity", ["go"], ["going"]))
    of = lambda name, kind, shape: h.make_tensor_value_info(name, kind, shape)
    graph = h.make_graph(
        body.nodes,
        "body",
        [of("i", T.INT64, []), of("go", T.BOOL, []), of("carried", T.FLOAT, [512, 512])],
        [of("going", T.BOOL, []), of(scaled, T.FLOAT, [512, 512])],
        body.constants,
    )
    start = g.op("ConstantOfShape", g.constant([512, 512], np.int64), value=h.make_tensor("one", T.FLOAT, [1], [1.0]))
    many = g.op("Cast", g.op("Mul", g.op("ReduceMax", filled, keepdims=0), g.constant(30000.0)), to=T.INT64)
    result = g.op("Loop", many, g.constant(True, bool), start, body=graph)
    return g.op("Mul", g.op("ReduceMax", result, keepdims=0), g.constant(0.0))


if __name__ == "__main__":
    folder = sys.argv[1]
    save(folder, "correction-none")
    save(folder, "correction-nan", lambda g, filled: when_half_full(g, filled, float("nan")))
    save(folder, "correction-absurd", lambda g, filled: when_half_full(g, filled, 50.0))
    # A correction that is always wrong by three deviations: the gate has to find out.
    save(folder, "correction-biased", lambda g, filled: when_half_full(g, filled, 3.0))
    save(folder, "correction-short", rows=5)
    save(folder, "correction-slow", slow)
