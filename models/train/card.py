"""Exports a trained model to ONNX and writes the card that describes it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import torch

from model import LEVELS

OPSET = 17


def write_card(model, out, data, held, scores, options):
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    length, features = data["samples"].shape[1:]
    whole = data["globals"].shape[1]
    window = torch.zeros(1, length, features)
    torch.onnx.export(
        model,
        (window, torch.zeros(1, whole)),
        str(out),
        opset_version=OPSET,
        input_names=["samples", "globals"],
        output_names=["quantiles"],
    )
    onnx.checker.check_model(onnx.load(str(out)))
    # One held-out window from the middle, with what this model says to it.
    middle = len(held["clock"]) // 2
    samples = held["samples"][middle : middle + 1].astype(np.float32)
    globals_ = held["globals"][middle : middle + 1]
    with torch.no_grad():
        answer = model(torch.from_numpy(samples), torch.from_numpy(globals_)).numpy()
    about = data["about"]
    card = {
        "card": 1,
        "name": out.stem,
        "file": out.name,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "licence": "MIT",
        "task": "residual",
        "layout": about["layout"],
        "opset": OPSET,
        "inputs": [
            {"name": "samples", "role": "window", "type": "float32", "axes": ["batch", "time", "feature"], "shape": [1, length, features], "pad": "left", "padValue": 0},
            {"name": "globals", "role": "globals", "type": "float32", "axes": ["batch", "feature"], "shape": [1, whole]},
        ],
        "output": {
            "name": "quantiles",
            "axes": ["batch", "row", "quantile"],
            "shape": [1, len(answer[0]), len(LEVELS)],
            "horizons": about["horizons"],
            "levels": list(LEVELS),
        },
        "training": {
            "data": {"seed": about["seed"], "windows": len(data["clock"]), "escapement": about["escapement"], **about["options"]},
            "steps": options["steps"],
            "batch": options["batch"],
            "seed": options["seed"],
            "heldOut": {"seed": held["about"]["seed"], "windows": len(held["clock"]), "families": scores},
        },
        "golden": {
            "samples": [float(f"{v:.9g}") for v in samples.ravel()],
            "globals": [float(f"{v:.9g}") for v in globals_.ravel()],
            "quantiles": [float(f"{v:.9g}") for v in answer.ravel()],
            "tolerance": 1e-4,
        },
    }
    out.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")
