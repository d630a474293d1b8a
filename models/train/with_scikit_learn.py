"""A forecasting model that scikit-learn trained on recorded measurements, written as ONNX from its weights, with its card.

    escapement run scenarios/bring-your-own-model.yaml --seed 1 --out runs/one      (or live --out: your own clock's)
    /usr/bin/python3 models/train/with_scikit_learn.py ridge.onnx runs/one
    escapement model ridge.json --fill

Needs Debian's python3-sklearn, python3-onnx and python3-numpy; a second. Any number of folders or measurements.csv may follow
the first. The targets are offsets as they were measured, not the truth: nobody has that of a real clock, and their noise
averages out. It gives points only; how far they are off is learnt while it runs.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import RidgeCV

CONTEXT, STEPS = 48, 12


def offsets(path):
    """Times and offsets as measured, of the first source, on the counter."""
    path = Path(path)
    with open(path / "measurements.csv" if path.is_dir() else path) as file:
        rows = [row for row in csv.DictReader(line for line in file if not line.startswith("#")) if row["type"] == "exchange"]
    rows = [row for row in rows if row["source"] == rows[0]["source"]]
    at = lambda name: np.array([float(row[name]) for row in rows])
    sent, arrived = at("sent_counter_s"), at("arrived_counter_s")
    return (sent + arrived) / 2, ((at("receive_s") - sent) + (at("transmit_s") - arrived)) / 2


def windows(t, offset):
    """Contexts and what followed, as the card has it: on a grid, without the context's line, by its MAD. None over an outage."""
    period = np.median(np.diff(t))
    grid = np.arange(t[0], t[-1], period)
    series = np.interp(grid, t, offset)
    outages = [(a, b) for a, b in zip(t, t[1:]) if b - a > 4 * period]
    steps = np.arange(CONTEXT + STEPS) - (CONTEXT - 1)
    for begin in range(len(series) - len(steps) + 1):
        if any(a < grid[begin + len(steps) - 1] and b > grid[begin] for a, b in outages):
            continue
        window = series[begin : begin + len(steps)]
        slope, level = np.polyfit(steps[:CONTEXT], window[:CONTEXT], 1)
        residual = window - level - slope * steps
        past = residual[:CONTEXT]
        yield residual / (1.4826 * np.median(np.abs(past - np.median(past))))


out, *recordings = sys.argv[1:]
examples = np.array([example for path in recordings for example in windows(*offsets(path))])
past, ahead = examples[:, :CONTEXT], examples[:, CONTEXT:]
model = RidgeCV(alphas=np.logspace(0, 6, 25)).fit(past, ahead)
print(f"{len(examples)} windows, alpha {model.alpha_:.3g}, R² {model.score(past, ahead):.3f}")

# y = x·Wᵀ + b; of a network with several layers (MLPRegressor: coefs_, intercepts_) one Gemm each, with Relu between them.
weights = {"w": model.coef_.T, "b": model.intercept_}
graph = helper.make_graph(
    [helper.make_node("Gemm", ["series", "w", "b"], ["forecast"])],
    "ridge",
    [helper.make_tensor_value_info("series", TensorProto.FLOAT, ["batch", CONTEXT])],
    [helper.make_tensor_value_info("forecast", TensorProto.FLOAT, ["batch", STEPS])],
    [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in weights.items()],
)
exported = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="with_scikit_learn.py")
exported.ir_version = 8
onnx.checker.check_model(exported)
onnx.save(exported, out)

tensor = {"dtype": "float32", "layout": ["batch", "time"]}
card = {
    "schema": "escapement-model/1",
    "id": Path(out).stem,
    "task": "forecast",
    "file": Path(out).name,
    "licence": "MIT",
    "source": "models/train/with_scikit_learn.py",
    "tried": True,
    "sampling": {"mode": "regular"},
    # Shown only what it was trained on: whole contexts.
    "context": {"min": CONTEXT, "max": CONTEXT},
    "horizon": {"steps": STEPS},
    "normalisation": {"detrend": "line", "scale": "mad"},
    "inputs": [{"name": "series", **tensor, "shape": [None, CONTEXT], "role": "values"}],
    "outputs": [{"name": "forecast", **tensor, "shape": [None, STEPS], "role": "point"}],
}
Path(out).with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
