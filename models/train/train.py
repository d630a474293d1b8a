"""Trains the correction model and exports it with its card. README.md beside this file has the commands."""

import argparse
import copy
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

from card import write_card
from model import LEVELS, Corrector, pinball


SOURCES = 10  # The global that holds sources/4.
ARRAYS = ("globals", "targets", "scales", "clock")


def load(folder):
    """The windows of one source: with several, the classical estimator answers."""
    folder = Path(folder)
    about = json.loads((folder / "dataset.json").read_text())
    arrays = {name: np.load(folder / f"{name}.npy") for name in ARRAYS}
    single = arrays["globals"][:, SOURCES] < 0.3
    samples = np.load(folder / "samples.npy", mmap_mode="r")
    # Ratios need three digits: half precision halves the memory.
    parts = [samples[i : i + 50000][single[i : i + 50000]].astype(np.float16) for i in range(0, len(samples), 50000)]
    arrays = {name: array[single] for name, array in arrays.items()}
    return arrays | {"samples": np.concatenate(parts), "about": about}


def expect_numpy(folder):
    """One clear line and exit code 2, before anything is begun, where `load` could not read a folder."""
    names = ["dataset.json", *(f"{name}.npy" for name in ("samples", *ARRAYS))]
    missing = next((name for name in names if not (Path(folder) / name).exists()), None)
    if missing is not None:
        print(f"train.py: {folder}: expected what escapement dataset --format npy writes, found no {missing}", file=sys.stderr)
        sys.exit(2)


def batch_of(data, index):
    samples = torch.from_numpy(data["samples"][index].astype(np.float32))
    return samples, torch.from_numpy(data["globals"][index]), torch.from_numpy(data["targets"][index])


def quantiles_over(model, data, size=2000):
    with torch.no_grad():
        parts = []
        for start in range(0, len(data["clock"]), size):
            samples, whole, _ = batch_of(data, slice(start, start + size))
            parts.append(model(samples, whole).numpy())
    return np.concatenate(parts)


def weights_of(data):
    """Every clock counts alike: what is lowered is the mean over clocks of the error beside the classical one."""
    sizes = np.abs(5 * np.arcsinh(data["targets"][:, :3] / 5)).mean(1)
    count = np.bincount(data["clock"])
    typical = np.bincount(data["clock"], sizes) / np.maximum(count, 1)
    typical = (typical * count + 8 * np.median(sizes)) / (count + 8)
    weights = np.clip(np.median(typical) / typical[data["clock"]], 0.25, 3).astype(np.float32)
    return weights / weights.mean()


def told(data, quantiles):
    """Errors in seconds of what is told until the next measurement: classical, and on the line of two medians."""
    scales, targets = data["scales"], data["targets"]
    now, next_ = (quantiles[:, row, LEVELS.index(0.5)] * scales[:, row] for row in (0, 2))
    classical = targets[:, :3] * scales[:, :3]
    line = np.stack([now, (now + next_) / 2, next_], 1)
    return np.abs(classical), np.abs(classical - line)


def calibrate(model, held, quantiles):
    """
    Widens or narrows each row's law about its median by what held-out clocks ask for: training has seen its own clocks so
    often that it is a little too sure of them. Returns the quantiles then, and the factors.
    """
    middle = quantiles[:, :, LEVELS.index(0.5)][:, :, None]
    levels = np.array(LEVELS)
    factors = np.exp(np.linspace(-0.2, 0.4, 31))

    def loss(row, factor):
        error = held["targets"][:, row, None] - (middle[:, row] + factor * (quantiles[:, row] - middle[:, row]))
        return (np.maximum(levels * error, (levels - 1) * error).mean(1) * held["weights"]).mean()

    best = np.array([factors[np.argmin([loss(row, factor) for factor in factors])] for row in range(quantiles.shape[1])])
    with torch.no_grad():
        bias = model.head[-1].bias.view(len(best), -1)
        bias[:, 1:] += torch.from_numpy(np.log(best)).float()[:, None]
    return middle + best[:, None] * (quantiles - middle), rounded(best)


def by_family(data, quantiles):
    """For each family: the model's MAE as a multiple of the classical one, by row, and how often intervals hold."""
    clocks = data["about"]["clocks"]
    targets = data["targets"]
    median = quantiles[:, :, LEVELS.index(0.5)]
    classical, learned = told(data, quantiles)
    scores = {}
    for clock, about in enumerate(clocks):
        rows = data["clock"] == clock
        if rows.sum() < 8:
            continue
        family = about["contaminated"] or about["family"]
        ratio = np.abs(targets[rows] - median[rows]).mean(0) / np.abs(targets[rows]).mean(0)
        at = lambda low, high: ((targets[rows] >= quantiles[rows][:, :, low]) & (targets[rows] <= quantiles[rows][:, :, high])).mean(0)
        scores.setdefault(family, []).append(
            [np.log(ratio), at(1, 7), at(0, 8), np.log(learned[rows].mean() / classical[rows].mean())]
        )
    return {
        family: {
            "clocks": len(values),
            "told": round(float(np.exp(np.mean([v[3] for v in values]))), 3),
            "mae": rounded(np.exp(np.mean([v[0] for v in values], 0))),
            "holds80": rounded(np.mean([v[1] for v in values], 0)),
            "holds95": rounded(np.mean([v[2] for v in values], 0)),
        }
        for family, values in sorted(scores.items())
    }


def rounded(values):
    return [round(float(value), 3) for value in values]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", required=True, action="append", help="a folder of escapement dataset; may be given again")
    arguments.add_argument("--validation", required=True)
    arguments.add_argument("--out", required=True, help="the model, NAME.onnx; its card becomes NAME.json")
    arguments.add_argument("--steps", type=int, default=20000)
    arguments.add_argument("--batch", type=int, default=256)
    arguments.add_argument("--rate", type=float, default=2e-3)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--hidden", type=int, default=64)
    arguments.add_argument("--calibrate", action="store_true", help="widen or narrow intervals in the end, by held-out clocks")
    arguments.add_argument("--log", help="where the training log goes (JSON lines); left out: beside the model")
    options = arguments.parse_args()
    for folder in (*options.data, options.validation):
        expect_numpy(folder)

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    log_file = open(options.log or Path(options.out).with_suffix(".log"), "w")

    def log(**entry):
        line = json.dumps(entry)
        print(line, flush=True)
        log_file.write(line + "\n")
        log_file.flush()

    parts, held = [load(folder) for folder in options.data], load(options.validation)
    data = {name: np.concatenate([part[name] for part in parts]) for name in ("samples", "globals", "targets")}
    data["weights"] = np.concatenate([weights_of(part) for part in parts])
    about = [part["about"] for part in parts]
    count, _, features = data["samples"].shape
    rows = data["targets"].shape[1]
    model = Corrector(features, data["globals"].shape[1], rows, options.hidden)
    parameters = sum(p.numel() for p in model.parameters())
    log(
        windows=count,
        clocks=sum(len(one["clocks"]) for one in about),
        held_out_windows=len(held["clock"]),
        dataset=[{k: one[k] for k in ("layout", "seed", "options")} for one in about],
        validation={k: held["about"][k] for k in ("seed", "options")},
        parameters=parameters,
        steps=options.steps,
        batch=options.batch,
        seed=options.seed,
        torch=torch.__version__,
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.01)
    warm, total = 200, options.steps
    rate_at = lambda step: min(1, step / warm) * (0.01 + 0.99 * (1 + math.cos(math.pi * step / total)) / 2)
    # What is kept is a running mean of the weights.
    kept = copy.deepcopy(model).eval()
    # What is told until the next measurement is made of the first and the third row, and its centre counts most.
    row_weights = torch.tensor([1.5, 0.5, 1.5, 0.4, 0.3, 0.6][:rows])
    level_weights = torch.tensor([1.0, 1.0, 0.7, 1.0, 4.0, 1.0, 0.7, 1.0, 1.0])
    glance = {name: held[name][::6] for name in ("samples", "globals", "targets", "scales", "clock")} | {"about": held["about"]}
    started, cpu = time.time(), time.process_time()
    order, place, mean, step = random.permutation(count), 0, None, 0
    while step < total:
        step += 1
        for group in optimiser.param_groups:
            group["lr"] = options.rate * rate_at(step)
        if place + options.batch > count:
            order, place = random.permutation(count), 0
        index = np.sort(order[place : place + options.batch])
        place += options.batch
        samples, whole, targets = batch_of(data, index)
        weights = torch.from_numpy(data["weights"][index])
        if random.random() < 0.5:
            samples, whole = model.mirrored(samples, whole)
            targets = -targets
        loss = pinball(model.quantiles(model.raw(samples, whole)), targets, row_weights, level_weights, weights)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        share = min(0.999, step / (step + 10))
        with torch.no_grad():
            for own, new in zip(kept.parameters(), model.parameters()):
                own.lerp_(new, 1 - share)
        mean = loss.item() if mean is None else 0.99 * mean + 0.01 * loss.item()
        if step % 1500 == 0 and step < total:
            scores = by_family(glance, quantiles_over(kept, glance))
            log(
                step=step,
                loss=round(mean, 5),
                wall=round(time.time() - started),
                cpu=round(time.process_time() - cpu),
                told={family: score["told"] for family, score in scores.items()},
            )
    quantiles, widened = quantiles_over(kept, held), None
    if options.calibrate:
        quantiles, widened = calibrate(kept, held | {"weights": weights_of(held)}, quantiles)
    scores = by_family(held, quantiles)
    log(done=True, widened=widened, steps=total, cpu=round(time.process_time() - cpu), families=scores)
    write_card(kept, options.out, about, count, held, scores, vars(options))


if __name__ == "__main__":
    main()
