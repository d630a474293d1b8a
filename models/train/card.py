"""Exports a trained model to ONNX and writes the card that describes it."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import torch

from model import LEVELS

OPSET = 17


def write_card(model, out, abouts, windows, held, scores, options):
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    length, features = held["samples"].shape[1:]
    whole = held["globals"].shape[1]
    window = torch.zeros(1, length, features)
    torch.onnx.export(
        model,
        (window, torch.zeros(1, whole)),
        str(out),
        opset_version=OPSET,
        input_names=["samples", "globals"],
        output_names=["quantiles"],
        dynamic_axes={name: {0: "batch"} for name in ("samples", "globals", "quantiles")},
    )
    onnx.checker.check_model(onnx.load(str(out)))
    # One held-out window from the middle, with what this model says to it.
    middle = len(held["clock"]) // 2
    samples = held["samples"][middle : middle + 1].astype(np.float32)
    globals_ = held["globals"][middle : middle + 1]
    with torch.no_grad():
        answer = model(torch.from_numpy(samples), torch.from_numpy(globals_)).numpy()
    about = abouts[0]
    tensor = lambda array: {"dims": list(array.shape), "data": [float(f"{v:.9g}") for v in array.ravel()]}
    card = {
        "schema": "escapement-model/1",
        "id": out.stem,
        "task": "correction",
        "file": out.name,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "licence": "MIT",
        "source": "models/train/train.py, on windows of escapement dataset",
        "tried": True,
        "opset": OPSET,
        "features": about["layout"],
        "inputs": [
            {"name": "samples", "role": "window", "dtype": "float32", "layout": ["batch", "time", "feature"], "shape": [None, length, features]},
            {"name": "globals", "role": "globals", "dtype": "float32", "layout": ["batch", "feature"], "shape": [None, whole]},
        ],
        "outputs": [
            {"name": "quantiles", "role": "quantiles", "dtype": "float32", "layout": ["batch", "time", "quantile"], "shape": [None, *answer.shape[1:]]},
        ],
        "parameters": {"horizons": about["horizons"], "levels": list(LEVELS)},
        "training": {
            "data": [{"seed": one["seed"], "windows": one["windows"], "escapement": one["escapement"], **one["options"]} for one in abouts],
            "windows": windows,
            "steps": options["steps"],
            "batch": options["batch"],
            "rate": options["rate"],
            "seed": options["seed"],
            "hidden": options["hidden"],
        },
        "metrics": {
            "heldOut": {"seed": held["about"]["seed"], "windows": len(held["clock"]), "clocks": len(held["about"]["clocks"])},
            "families": scores,
        },
        "golden": {
            "inputs": {"samples": tensor(samples), "globals": tensor(globals_)},
            "outputs": {"quantiles": tensor(answer)},
            "tolerance": 1e-4,
        },
        "runtime": {"worker": False},
    }
    text = json.dumps(card, indent=2)
    # Long lists of numbers on one line.
    text = re.sub(r"\[\s+((?:null|[-0-9.e,\s])+?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)
    out.with_suffix(".json").write_text(text + "\n")
