"""Trains the correction model and exports it with its card. README.md beside this file has the commands."""

import argparse
import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import torch

from card import read_weights, write_card
from model import LEVELS, Corrector, pinball


def load(folder, half=True):
    folder = Path(folder)
    about = json.loads((folder / "dataset.json").read_text())
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("globals", "targets", "clock")}
    samples = np.load(folder / "samples.npy", mmap_mode="r")
    # Ratios need three digits: half precision halves the memory.
    arrays["samples"] = np.concatenate([samples[i : i + 50000].astype(np.float16) for i in range(0, len(samples), 50000)])
    arrays["about"] = about
    return arrays


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


def by_family(data, quantiles):
    """For each family: the model's MAE as a multiple of the classical one, by row, and how often intervals hold."""
    clocks = data["about"]["clocks"]
    targets = data["targets"]
    median = quantiles[:, :, LEVELS.index(0.5)]
    scores = {}
    for clock, about in enumerate(clocks):
        rows = data["clock"] == clock
        if rows.sum() < 8:
            continue
        family = about["contaminated"] or about["family"]
        ratio = np.abs(targets[rows] - median[rows]).mean(0) / np.abs(targets[rows]).mean(0)
        at = lambda low, high: ((targets[rows] >= quantiles[rows][:, :, low]) & (targets[rows] <= quantiles[rows][:, :, high])).mean(0)
        scores.setdefault(family, []).append([np.log(ratio), at(1, 7), at(0, 8)])
    return {
        family: {
            "clocks": len(values),
            "mae": np.exp(np.mean([v[0] for v in values], 0)).round(3).tolist(),
            "holds80": np.mean([v[1] for v in values], 0).round(3).tolist(),
            "holds95": np.mean([v[2] for v in values], 0).round(3).tolist(),
        }
        for family, values in sorted(scores.items())
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", required=True, action="append", help="a folder of escapement dataset; may be given again")
    arguments.add_argument("--start", help="a model exported by this script, NAME.onnx, to go on from")
    arguments.add_argument("--validation", required=True)
    arguments.add_argument("--out", required=True, help="the model, NAME.onnx; its card becomes NAME.json")
    arguments.add_argument("--steps", type=int, default=9000)
    arguments.add_argument("--batch", type=int, default=256)
    arguments.add_argument("--rate", type=float, default=2e-3)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--hidden", type=int, default=64)
    arguments.add_argument("--log", help="where the training log goes (JSON lines); left out: beside the model")
    options = arguments.parse_args()

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
    data = {name: np.concatenate([part[name] for part in parts]) for name in ("samples", "globals", "targets", "clock")}
    about = [part["about"] for part in parts]
    count, _, features = data["samples"].shape
    rows = data["targets"].shape[1]
    model = Corrector(features, data["globals"].shape[1], rows, options.hidden)
    if options.start:
        read_weights(model, options.start)
    parameters = sum(p.numel() for p in model.parameters())
    log(
        windows=count,
        clocks=sum(len(one["clocks"]) for one in about),
        start=options.start and Path(options.start).name,
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
    warm = 100
    # The rate is constant for seven tenths of the steps and then falls; SIGUSR1 makes it fall from now on, which is the
    # same as having asked for fewer steps.
    total = options.steps
    rate_at = lambda step: min(1, step / warm, 0.02 + 0.98 * max(0, total - step) / (0.3 * total))

    def finish(*_):
        nonlocal total
        total = min(total, math.ceil(step / 0.7))

    signal.signal(signal.SIGUSR1, finish)
    row_weights = torch.tensor([1.0, 1.0, 1.0, 0.6, 0.4, 0.6][:rows])
    level_weights = torch.tensor([1.0, 1.0, 0.7, 1.0, 2.0, 1.0, 0.7, 1.0, 1.0])
    glance = {name: held[name][::8] for name in ("samples", "globals", "targets", "clock")} | {"about": held["about"]}
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
        if random.random() < 0.5:
            samples, whole = model.mirrored(samples, whole)
            targets = -targets
        loss = pinball(model.quantiles(model.raw(samples, whole)), targets, row_weights, level_weights)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        mean = loss.item() if mean is None else 0.99 * mean + 0.01 * loss.item()
        if step % 500 == 0 or step == total:
            model.eval()
            scores = by_family(glance, quantiles_over(model, glance))
            model.train()
            log(
                step=step,
                loss=round(mean, 5),
                wall=round(time.time() - started),
                cpu=round(time.process_time() - cpu),
                mae={family: score["mae"][:3] for family, score in scores.items()},
            )
    model.eval()
    quantiles = quantiles_over(model, held)
    scores = by_family(held, quantiles)
    log(done=True, steps=total, cpu=round(time.process_time() - cpu), families=scores)
    write_card(model, options.out, about, count, held, scores, {**vars(options), "steps": total})


if __name__ == "__main__":
    main()
