#!/usr/bin/env bash
# Makes models/clock-gru.onnx with its card and log, from nothing: bash models/train/make.sh [FOLDER]. Needs Debian's
# python3-torch, python3-onnx, python3-numpy and libopenblas0-pthread; about half an hour of one core in all.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="${1:-$(mktemp -d)}"
python="${PYTHON:-/usr/bin/python3}"
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

node build.js
draw() { node bin/escapement.js dataset --format npy --out "$work/$1" --seed "$1" --clocks "$2" --randomised "$3"; }
draw valid 360 0.1
draw train 2600 0.12
draw train-2 2400 0.08
train() { "$python" models/train/train.py --validation "$work/valid" --data "$work/train" "$@"; }
train --out "$work/first.onnx" --steps 4819 --log models/train/first.log
train --data "$work/train-2" --start "$work/first.onnx" --rate 0.0015 --seed 2 --steps 5878 --out models/clock-gru.onnx
