"""A forecasting model made elsewhere: trained and exported by PyTorch, to try docs/models.md out with.

    /usr/bin/python3 models/train/bring_your_own.py own.onnx

Needs Debian's python3-torch, python3-onnx and python3-numpy; half a minute on one core. A linear map from the last 60 values
to 12 steps of three quantiles (Zeng and others, "Are Transformers Effective for Time Series Forecasting?", AAAI 2023), by
the pinball loss, on random walks under white noise: what is left of a clock's offset when its line is taken off.
"""

import sys

import numpy as np
import torch

CONTEXT, STEPS, LEVELS = 60, 12, [0.1, 0.5, 0.9]
torch.manual_seed(1)
torch.set_num_threads(1)
rng = np.random.default_rng(1)


def batch(count):
    """Walks of random strength under noise, without their line, by their own MAD: as the card's `normalisation` has it."""
    n = CONTEXT + STEPS
    frequency = np.cumsum(rng.normal(size=(count, n)), axis=1) * 10 ** rng.uniform(-3, -0.5, size=(count, 1))
    clean = np.cumsum(frequency, axis=1)
    seen = clean[:, :CONTEXT] + rng.normal(size=(count, CONTEXT))
    t = np.arange(n) - (CONTEXT - 1)
    past = np.stack([np.ones(CONTEXT), t[:CONTEXT]], axis=1)
    line, *_ = np.linalg.lstsq(past, seen.T, rcond=None)
    residual = seen - (past @ line).T
    middle = np.median(residual, axis=1, keepdims=True)
    scale = 1.4826 * np.median(np.abs(residual - middle), axis=1, keepdims=True)
    ahead = clean[:, CONTEXT:] - (np.stack([np.ones(STEPS), t[CONTEXT:]], axis=1) @ line).T
    return torch.tensor(residual / scale, dtype=torch.float32), torch.tensor(ahead / scale, dtype=torch.float32)


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.map = torch.nn.Linear(CONTEXT, STEPS * len(LEVELS))

    def forward(self, insample_y, insample_mask):
        raw = self.map(insample_y * insample_mask).reshape(-1, STEPS, len(LEVELS))
        # Quantiles that cannot cross: the median, and positive distances from it.
        middle, width = raw[..., 1:2], torch.nn.functional.softplus(raw)
        return torch.cat([middle - width[..., 0:1], middle, middle + width[..., 2:3]], dim=-1)


model = Linear()
optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
levels = torch.tensor(LEVELS)
for step in range(1500):
    context, ahead = batch(256)
    off = ahead[..., None] - model(context, torch.ones_like(context))
    loss = torch.maximum(levels * off, (levels - 1) * off).clamp(max=30).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if step % 300 == 299:
        print(f"step {step + 1}: pinball loss {loss.item():.4f}")

example = (torch.zeros(1, CONTEXT), torch.ones(1, CONTEXT))
torch.onnx.export(
    model.eval(),
    example,
    sys.argv[1],
    opset_version=17,
    input_names=["insample_y", "insample_mask"],
    output_names=["forecast"],
    dynamic_axes={"insample_y": {0: "b"}, "insample_mask": {0: "b"}, "forecast": {0: "b"}},
)
