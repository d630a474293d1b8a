"""Makes the tiny models that the tests use: one for each layout that known forecasting models have, and some that are wrong.

    python3 models/train/tiny_models.py test/fixtures/models

Needs Debian's python3-onnx. Each forecasts the mean of what it was shown, with quantiles that widen with the square root of
the step: nothing to go by, but every axis, mask and role of the real ones is used. Their cards are drafted by
`escapement model FILE --like SIGNATURE` (see test/fixtures/models/make.sh).
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

Z = {0.05: -1.6448536, 0.1: -1.2815516, 0.2: -0.8416212, 0.3: -0.5244005, 0.4: -0.2533471}
for level, z in list(Z.items()):
    Z[round(1 - level, 2)] = -z
Z[0.5] = 0.0
DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


class Graph:
    def __init__(self, prefix=""):
        self.nodes, self.constants, self.prefix = [], [], prefix

    def op(self, kind, *inputs, **attributes):
        name = f"{self.prefix}n{len(self.nodes)}"
        self.nodes.append(h.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value, dtype=np.float32):
        name = f"{self.prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def moments(self, values, mask):
        """Mean and deviation [B, 1] of the values [B, T] where mask [B, T] is 1."""
        observed = self.op("Greater", mask, self.constant(0.5))
        safe = self.op("Where", observed, values, self.constant(0.0))
        count = self.op("Add", self.op("ReduceSum", mask, self.constant([1], np.int64), keepdims=1), self.constant(1e-9))
        mean = self.op("Div", self.op("ReduceSum", safe, self.constant([1], np.int64), keepdims=1), count)
        off = self.op("Mul", self.op("Sub", safe, mean), mask)
        squares = self.op("ReduceSum", self.op("Mul", off, off), self.constant([1], np.int64), keepdims=1)
        return mean, self.op("Sqrt", self.op("Div", squares, count))

    def spread(self, mean, deviation, factors, axes):
        """mean + deviation · factors, with mean and deviation [B, 1] given `axes` more axes."""
        for value in range(axes):
            index = self.constant([2 + value], np.int64)
            mean, deviation = self.op("Unsqueeze", mean, index), self.op("Unsqueeze", deviation, index)
        return self.op("Add", mean, self.op("Mul", deviation, factors))

    def widening(self, steps, levels, layout):
        """z · sqrt(1 + step/64) with steps and levels on the axes that `layout` says ('QT' or 'TQ')."""
        root = np.sqrt(1 + np.arange(steps) / 64)
        z = np.array([0.0 if level == "mean" else Z[level] for level in levels])
        a, b = (z[:, None], root[None, :]) if layout == "QT" else (root[:, None], z[None, :])
        return self.op("Mul", self.constant(a[None]), self.constant(b[None]))

    def save(self, path, inputs, outputs, opset=17, beside=None):
        for name, internal, _dtype, _shape in outputs:
            self.nodes.append(h.make_node("Identity", [internal], [name]))
        graph = h.make_graph(
            self.nodes,
            "tiny",
            [h.make_tensor_value_info(name, dtype, shape) for name, dtype, shape in inputs],
            [h.make_tensor_value_info(name, dtype, shape) for name, _internal, dtype, shape in outputs],
            self.constants,
        )
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], producer_name="tiny_models.py")
        model.ir_version = 8
        if beside is None:
            onnx.save(model, path)
        else:
            # As a model of over 2 GB has to, but for the axes, which the runtime wants to see in the graph.
            onnx.save_model(model, path, save_as_external_data=True, location=beside, size_threshold=60)


def not_nan(g, values):
    return g.op("Cast", g.op("Not", g.op("IsNaN", values)), to=T.FLOAT)


def chronos_bolt(path):
    g = Graph()
    seen = g.op("Mul", not_nan(g, "context"), "mask")
    mean, deviation = g.moments("context", seen)
    out = g.spread(mean, deviation, g.widening(64, DECILES, "QT"), 1)
    g.save(path, [("context", T.FLOAT, ["b", "t"]), ("mask", T.FLOAT, ["b", "t"])], [("quantile_preds", out, T.FLOAT, ["b", 9, 64])])


def chronos_2(path):
    g = Graph()
    group = g.op("Mul", g.op("Cast", g.op("Unsqueeze", "group_ids", g.constant([1], np.int64)), to=T.FLOAT), g.constant(0.0))
    seen = g.op("Mul", not_nan(g, "context"), "attention_mask")
    mean, deviation = g.moments("context", seen)
    out = g.spread(g.op("Add", mean, group), deviation, g.widening(64, DECILES, "QT"), 1)
    inputs = [("context", T.FLOAT, ["b", 512]), ("group_ids", T.INT64, ["b"]), ("attention_mask", T.FLOAT, ["b", 512])]
    g.save(path, inputs, [("quantile_preds", out, T.FLOAT, ["b", 9, 64])])


def timesfm_1(path, length=512):
    """TimesFM 1.0; 2.0 is the same over 2048."""
    g = Graph()
    seen = g.op("Sub", g.constant(1.0), "input_padding")
    mean, deviation = g.moments("input_ts", seen)
    zero = g.op("Mul", g.op("Cast", "freq", to=T.FLOAT), g.constant(0.0))
    patches = g.constant(np.zeros((1, length // 32, 1, 1)))
    out = g.spread(g.op("Add", mean, zero), deviation, g.widening(128, ["mean", *DECILES], "TQ"), 2)
    inputs = [("input_ts", T.FLOAT, ["b", length]), ("input_padding", T.FLOAT, ["b", length]), ("freq", T.INT64, ["b", 1])]
    g.save(path, inputs, [("output_ts", g.op("Add", out, patches), T.FLOAT, ["b", length // 32, 128, 10])])


def timesfm_25(path):
    g = Graph()
    cut = lambda a, b: g.op(
        "Reshape",
        g.op("Slice", "inputs", g.constant([a], np.int64), g.constant([b], np.int64), g.constant([2], np.int64)),
        g.constant([1, 512], np.int64),
    )
    mean, deviation = g.moments(cut(0, 32), g.op("Sub", g.constant(1.0), cut(32, 64)))
    levels = ["mean", *DECILES]
    patches = g.constant(np.zeros((1, 16, 1, 1)))
    flat = lambda steps: g.op(
        "Reshape",
        g.op("Add", g.spread(mean, deviation, g.widening(steps, levels, "TQ"), 2), patches),
        g.constant([1, 16, 10 * steps], np.int64),
    )
    g.save(path, [("inputs", T.FLOAT, [1, 16, 64])], [("output_ts", flat(128), T.FLOAT, [1, 16, 1280])])


def ttm(path):
    g = Graph()
    squeeze = lambda name: g.op("Squeeze", name, g.constant([2], np.int64))
    mean, deviation = g.moments(squeeze("past_values"), squeeze("past_observed_mask"))
    factors = g.op("Mul", g.widening(96, [0.5], "TQ"), g.constant(0.0))
    out = g.spread(mean, deviation, factors, 1)
    inputs = [("past_values", T.FLOAT, ["b", 512, 1]), ("past_observed_mask", T.FLOAT, ["b", 512, 1])]
    g.save(path, inputs, [("prediction_outputs", out, T.FLOAT, ["b", 96, 1])])


def n_hits(path, beside=None):
    g = Graph()
    mean, deviation = g.moments("insample_y", "insample_mask")
    out = g.spread(mean, deviation, g.widening(12, [0.1, 0.5, 0.9], "TQ"), 1)
    inputs = [("insample_y", T.FLOAT, ["b", 60]), ("insample_mask", T.FLOAT, ["b", 60])]
    g.save(path, inputs, [("forecast", out, T.FLOAT, ["b", 12, 3])], beside=beside)


def irregular(path):
    g = Graph()
    weights = g.op("Mul", g.op("Exp", g.op("Div", "times", g.constant(16.0))), "mask")
    total = g.op("ReduceSum", weights, g.constant([1], np.int64), keepdims=1)
    mean = g.op("Div", g.op("ReduceSum", g.op("Mul", "values", weights), g.constant([1], np.int64), keepdims=1), total)
    _, deviation = g.moments("values", "mask")
    out = g.spread(mean, deviation, g.widening(8, [0.1, 0.5, 0.9], "TQ"), 1)
    inputs = [(name, T.FLOAT, ["b", 32]) for name in ("values", "times", "mask")]
    g.save(path, inputs, [("quantiles", out, T.FLOAT, ["b", 8, 3])])


def wrong(folder):
    """Like n_hits, but each with something wrong."""

    def like(name, change, opset=17):
        g = Graph()
        mean, deviation = g.moments("insample_y", "insample_mask")
        out = change(g, mean, deviation)
        inputs = [("insample_y", T.FLOAT, ["b", 60]), ("insample_mask", T.FLOAT, ["b", 60])]
        g.save(f"{folder}/{name}.onnx", inputs, [("forecast", out, T.FLOAT, ["b", 12, 3])], opset)

    levels = [0.1, 0.5, 0.9]
    plain = lambda g, mean, deviation: g.spread(mean, deviation, g.widening(12, levels, "TQ"), 1)
    like("opset", plain, opset=99)
    # The same whatever it is shown: of this no card holds.
    nothing = lambda g, values: g.op("Mul", values, g.constant(0.0))
    like("constant", lambda g, mean, deviation: plain(g, nothing(g, mean), g.op("Add", nothing(g, mean), g.constant(1.0))))

    # Wrong where the last value is negative: fine on its golden input, wrong later (always wrong is not loaded at all).
    def where_negative(g, bad, good):
        cut = (g.constant([59], np.int64), g.constant([60], np.int64), g.constant([1], np.int64))
        last = g.op("Slice", "insample_y", *cut)
        return g.op("Where", g.op("Less", g.op("Unsqueeze", last, g.constant([2], np.int64)), g.constant(0.0)), bad, good)

    def crossing(g, mean, deviation):
        crossed = g.spread(mean, deviation, g.widening(12, levels[::-1], "TQ"), 1)
        return where_negative(g, crossed, plain(g, mean, deviation))

    def stuck(g, mean, deviation):
        zero = g.op("Mul", mean, g.constant(0.0))
        one = g.op("Add", zero, g.constant(1.0))
        return where_negative(g, plain(g, zero, one), plain(g, mean, deviation))

    def broken(g, mean, deviation):
        good = plain(g, mean, deviation)
        return where_negative(g, g.constant(float("nan")), good)

    like("crossing", crossing)
    like("stuck", stuck)
    like("nan", broken)

    # Takes a while: products of large matrices, one after the other.
    def slow(g, mean, deviation, products=None):
        body = Graph("body_")
        product = body.op("MatMul", "carried", "carried")
        scaled = body.op("Div", product, body.constant(512.0))
        iteration = h.make_tensor_value_info("i", T.INT64, [])
        condition = h.make_tensor_value_info("go", T.BOOL, [])
        body.nodes.append(h.make_node("Identity", ["go"], ["going"]))
        graph = h.make_graph(
            body.nodes,
            "body",
            [iteration, condition, h.make_tensor_value_info("carried", T.FLOAT, [512, 512])],
            [h.make_tensor_value_info("going", T.BOOL, []), h.make_tensor_value_info(scaled, T.FLOAT, [512, 512])],
            body.constants,
        )
        ones = g.op("ConstantOfShape", g.constant([512, 512], np.int64), value=h.make_tensor("one", T.FLOAT, [1], [1.0]))
        # Depends on the input, so that it is not folded away when the session is made.
        start = g.op("Add", ones, g.op("Mul", g.op("ReduceMax", mean, keepdims=0), g.constant(0.0)))
        products = g.constant(200, np.int64) if products is None else products
        result = g.op("Loop", products, g.constant(True, bool), start, body=graph)
        nothing = g.op("Mul", g.op("ReduceMax", result, keepdims=0), g.constant(0.0))
        return plain(g, g.op("Add", mean, nothing), deviation)

    like("slow", slow)

    # Fast, until it is shown values of more than 0.05 on average: then it takes many seconds.
    def hangs(g, mean, deviation):
        far = g.op("Greater", g.op("ReduceMax", mean, keepdims=0), g.constant(0.05))
        return slow(g, mean, deviation, g.op("Where", far, g.constant(5000, np.int64), g.constant(1, np.int64)))

    like("hangs", hangs)

    # Says that its batch may be of any length, and forecasts the mean of all rows.
    like("mixing", lambda g, mean, deviation: plain(g, g.op("ReduceMean", mean, axes=[0], keepdims=1), deviation))

    # Wrong by more than can be where the last value is negative.
    like("absurd", lambda g, mean, deviation: where_negative(
        g, plain(g, g.op("Add", mean, g.constant(1e30)), deviation), plain(g, mean, deviation)))


if __name__ == "__main__":
    folder = sys.argv[1]
    chronos_bolt(f"{folder}/chronos-bolt.onnx")
    chronos_2(f"{folder}/chronos-2.onnx")
    timesfm_1(f"{folder}/timesfm-1.onnx")
    timesfm_1(f"{folder}/timesfm-2.onnx", 2048)
    timesfm_25(f"{folder}/timesfm-2.5.onnx")
    ttm(f"{folder}/ttm.onnx")
    n_hits(f"{folder}/n-hits.onnx")
    n_hits(f"{folder}/external.onnx", "external.onnx_data")
    irregular(f"{folder}/irregular.onnx")
    wrong(folder)
