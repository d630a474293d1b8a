#!/usr/bin/env bash
# Makes models/clock-gru.onnx with its card and log, from nothing, and compares it on clocks that it has not seen:
#   bash models/train/make.sh [FOLDER]
# Data sets that are in FOLDER already are taken as they are. Needs Debian's python3-torch, python3-onnx, python3-numpy and
# libopenblas0-pthread. CLOCKS, STEPS and COMPARE (clocks a family) in the environment make a smaller trial of it, OUT
# another model.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="${1:-$(mktemp -d)}"
python="${PYTHON:-/usr/bin/python3}"
clocks="${CLOCKS:-3900}"
steps="${STEPS:-11000}"
out="${OUT:-models/clock-gru.onnx}"
first="$work/first.log"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# Every family but `servers`: with several the default estimator answers. Then more of those that gain the least.
some=exponential,heavy-tails,one-way-congestion,jumps,temperature,route-changes,adaptive-polls,congestion
all=exponential,heavy-tails,one-way-congestion,jumps,temperature,flicker,route-changes,mixtures,sparse,gaussian
all+=,named-clocks,adaptive-polls,congestion
node build.js
draw() {
  [ -f "$work/$1/dataset.json" ] ||
    node bin/escapement.js dataset --format npy --out "$work/$1" --seed "$1" --clocks "$2" --randomised 0.1 --families "$3"
}
draw valid $((clocks / 10)) "$all"
draw train "$clocks" "$all"
draw more $((clocks * 16 / 39)) "$some"
train() { "$python" models/train/train.py --validation "$work/valid" --data "$work/train" "$@"; }
train --steps "$steps" --out "$work/first.onnx" --log "$first"
train --data "$work/more" --start "$work/first.onnx" --rate 0.0008 --seed 2 --steps $((steps * 3 / 11)) --calibrate --out "$out"
node bin/escapement.js model "${out%.onnx}.json"
if [ "$out" = models/clock-gru.onnx ]; then
  cp "$first" models/train/first.log
  node bench/learned.js --clocks "${COMPARE:-20}" --markdown | tee "$work/comparison.md"
fi
