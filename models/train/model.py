"""The network: a GRU over a window of measurements, whose answer is a correction to the classical estimator."""

import torch
from torch import nn

LEVELS = (0.025, 0.1, 0.16, 0.25, 0.5, 0.75, 0.84, 0.9, 0.975)
# Quantiles of the standard normal law above the median, as increments: what an answer of zero means.
NORMAL = (0.67449, 0.32004, 0.28702, 0.67841)
UPPER = len(NORMAL)

# The feature that tells measurements from padding.
FILLED = 5
# What changes when every offset changes its sign (docs/dataset.md has the features by number).
ODD_FEATURES = (0, 2, 8, 9)
SWAPPED_FEATURES = ((6, 7), (7, 6))
# The mean drift, and of the other opinions: two of each fit's three numbers, and both of a line beside delays.
ODD_GLOBALS = (9, *(17 + 3 * i + j for i in range(6) for j in (0, 1)), 35, 36, 37, 38)


def mirror_matrices(features, globals_):
    """Matrices that turn a window into that of the mirrored clock."""
    window = torch.eye(features)
    for index in ODD_FEATURES:
        window[index, index] = -1
    for row, column in SWAPPED_FEATURES:
        window[row, row] = 0
        window[row, column] = -1
    whole = torch.ones(globals_)
    for index in ODD_GLOBALS:
        whole[index] = -1
    return window, whole


class Corrector(nn.Module):
    """
    Raw answers: for each row (horizons, then the drift) a centre and the logarithms of eight gaps.

    The window as a whole says with what state the recurrent layer begins to read; its last state asks back which of the
    states on the way mattered.
    """

    def __init__(self, features, globals_, rows, hidden=64, wide=96):
        super().__init__()
        self.rows = rows
        self.begin = nn.Linear(globals_, hidden)
        self.gru = nn.GRU(features, hidden, batch_first=True)
        self.ask = nn.Linear(hidden, hidden)
        self.head = nn.Sequential(
            nn.Linear(2 * hidden + globals_, wide), nn.SiLU(), nn.Linear(wide, wide), nn.SiLU(), nn.Linear(wide, rows * (1 + 2 * UPPER))
        )
        # The answer before training is the classical one.
        nn.init.zeros_(self.head[-1].weight)
        nn.init.zeros_(self.head[-1].bias)
        window, whole = mirror_matrices(features, globals_)
        self.register_buffer("mirror_window", window)
        self.register_buffer("mirror_globals", whole)
        self.register_buffer("normal", torch.tensor(NORMAL))

    def raw(self, samples, globals_):
        begin = torch.tanh(self.begin(globals_)).unsqueeze(0)
        states, last = self.gru(samples, begin)
        last = last[0]
        fitting = (states * self.ask(last).unsqueeze(1)).sum(2) / 8 + 30 * (samples[:, :, FILLED] - 1)
        recalled = (states * torch.softmax(fitting, 1).unsqueeze(2)).sum(1)
        return self.head(torch.cat([last, recalled, globals_], 1)).view(-1, self.rows, 1 + 2 * UPPER)

    def mirrored(self, samples, globals_):
        return samples @ self.mirror_window, globals_ * self.mirror_globals

    def quantiles(self, raw):
        """Monotone quantiles [batch, rows, 9] in the classical estimator's own deviations."""
        a = raw[:, :, :1].clamp(-7, 7)
        centre = (torch.exp(a) - torch.exp(-a)) / 2
        gaps = torch.exp(raw[:, :, 1:].clamp(-4, 7))
        above = torch.cumsum(gaps[:, :, :UPPER] * self.normal, 2)
        below = torch.cumsum(gaps[:, :, UPPER:] * self.normal, 2)
        return torch.cat([centre - below.flip(2), centre, centre + above], 2)

    def forward(self, samples, globals_):
        """The mean of the answer and of the mirrored answer to the mirrored window: no bias to one side."""
        window, whole = self.mirrored(samples, globals_)
        both = self.raw(torch.cat([samples, window], 0), torch.cat([globals_, whole], 0))
        here, there = both.chunk(2, 0)
        mean = torch.cat(
            [
                (here[:, :, :1] - there[:, :, :1]) / 2,
                (here[:, :, 1 : 1 + UPPER] + there[:, :, 1 + UPPER :]) / 2,
                (here[:, :, 1 + UPPER :] + there[:, :, 1 : 1 + UPPER]) / 2,
            ],
            2,
        )
        return self.quantiles(mean)


def squeeze(y):
    """Linear up to several deviations, logarithmic beyond: one wild moment does not drown a hundred others."""
    return 5 * torch.asinh(y / 5)


def pinball(quantiles, targets, row_weights, level_weights, window_weights):
    levels = torch.tensor(LEVELS)
    error = squeeze(targets).unsqueeze(2) - squeeze(quantiles)
    loss = torch.maximum(levels * error, (levels - 1) * error)
    each = (loss * level_weights).sum(2).mul(row_weights).sum(1)
    return (each * window_weights).mean() / row_weights.sum()
