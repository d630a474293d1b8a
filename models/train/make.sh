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
clocks="${CLOCKS:-10400}"
out="${OUT:-models/clock-gru.onnx}"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

# Every family but `servers`: with several the default estimator answers. Then more of those on which the most is to be
# learned, and of the clocks that most machines have, on which a model must do no harm.
some=exponential,heavy-tails,one-way-congestion,jumps,temperature,route-changes,adaptive-polls,congestion
all=exponential,heavy-tails,one-way-congestion,jumps,temperature,flicker,route-changes,mixtures,sparse,gaussian
all+=,named-clocks,adaptive-polls,congestion
node build.js
draw() {
  [ -f "$work/$1/dataset.json" ] ||
    node bin/escapement.js dataset --format npy --out "$work/$1" --seed "$1" --randomised 0.1 \
      --clocks "$2" --families "$3" --windows "$4"
}
draw valid $((clocks * 3 / 80)) "$all" 80
draw train "$clocks" "$all" 48
draw more $((clocks * 12 / 13)) "$some" 48
draw usual $((clocks * 8 / 13)) usual-crystals 48
draw named $((clocks * 3 / 26)) named-clocks 48
"$python" models/train/train.py --validation "$work/valid" --data "$work/train" --data "$work/more" --data "$work/usual" --data "$work/named" \
  --steps "${STEPS:-22000}" --calibrate --out "$out"
node bin/escapement.js model "${out%.onnx}.json"
if [ "$out" = models/clock-gru.onnx ]; then
  node bench/learned.js --clocks "${COMPARE:-60}" --markdown | tee "$work/comparison.md"
fi
