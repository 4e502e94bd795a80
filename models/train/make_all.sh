#!/usr/bin/env bash
# Makes all five models and the held-out questions from nothing, in this order.
# Two processes at a time are enough; every script uses one thread.
# Usage: make_all.sh WORK_DIR   (checkpoints, samples and logs go there)
set -euo pipefail
work=$(realpath "$1")
cd "$(dirname "$0")"

# Generator: two stages, lengths in tokens.
python3 train.py generator "$work/generator-1.pt" --tokens 5e6 --seed 1
python3 train.py generator "$work/generator.pt" --start-from "$work/generator-1.pt" --tokens 5e6 --lr 0.015 --adam-lr 3e-3 --seed 11

# Strong model: the generator made twice as deep; a third of its examples carry tags.
python3 train.py strong "$work/strong-1.pt" --grow-from "$work/generator.pt" --tokens 2e6 --flat 1.0 --tag-share 0.35 --lr 0.015 --adam-lr 3e-3 --seed 21
python3 train.py strong "$work/strong-2.pt" --start-from "$work/strong-1.pt" --tokens 1.8e6 --flat 0.0 --tag-share 0.35 --lr 0.015 --adam-lr 3e-3 --seed 22
python3 train.py strong "$work/strong.pt" --start-from "$work/strong-2.pt" --tokens 2.2e6 --flat 0.3 --tag-share 0.35 --lr 0.015 --adam-lr 3e-3 --seed 23

# Large model: the generator grown in width and depth.
python3 train.py large "$work/large-1.pt" --grow-from "$work/generator.pt" --tokens 4.5e6 --flat 0.3 --bf16 --lr 0.01 --adam-lr 2e-3 --seed 43
python3 train.py large "$work/large.pt" --start-from "$work/large-1.pt" --tokens 2.6e6 --flat 0.2 --bf16 --lr 0.008 --adam-lr 1.5e-3 --seed 53

# Samples (temperature 0.8) and Monte-Carlo labels.
python3 sample.py "$work/generator.pt" "$work/pool-1.jsonl" --problems 6386 --samples 4 --seed 31
python3 sample.py "$work/generator.pt" "$work/pool-2.jsonl" --problems 25500 --samples 4 --seed 41
python3 sample.py "$work/generator.pt" "$work/mc_samples.jsonl" --problems 800 --samples 16 --seed 32
python3 sample.py "$work/generator.pt" "$work/dev.jsonl" --split dev --problems 260 --samples 8 --seed 34
python3 sample.py "$work/generator.pt" "$work/calibration.jsonl" --split dev --problems 400 --samples 16 --seed 77
python3 sample.py "$work/generator.pt" "$work/heldout.jsonl" --split heldout --problems 510 --samples 64 --seed 2026
python3 label.py "$work/generator.pt" "$work/mc_samples.jsonl" "$work/labels.jsonl" --problems 500
cat "$work/mc_samples.jsonl" "$work/pool-1.jsonl" > "$work/pool.jsonl"

# Reward model, reviser.
python3 train_prm.py "$work/strong-2.pt" "$work/prm-1.pt" --samples "$work/pool.jsonl" --distil-tokens 1.6e6
python3 train_prm.py "$work/strong-2.pt" "$work/prm.pt" --start-from "$work/prm-1.pt" --samples "$work/pool.jsonl" \
  --labels "$work/labels.jsonl" --distil-tokens 1.1e6 --label-tokens 0.8e6
attempts=("$work/pool-1.jsonl" "$work/mc_samples.jsonl" "$work/pool-2.jsonl")
python3 train_reviser.py "$work/generator.pt" "$work/reviser-1.pt" --samples "${attempts[@]}" --dev "$work/dev.jsonl" \
  --dev-size 100 --tokens 7e6
python3 train_reviser.py "$work/reviser-1.pt" "$work/reviser.pt" --samples "${attempts[@]}" --dev "$work/dev.jsonl" \
  --dev-size 100 --tokens 6e6 --lr 0.008 --adam-lr 1.5e-3 --seed 19

# Files and figures.
python3 export.py "$work/generator.pt" ../tiny-generator.gguf --kind generator
python3 export.py "$work/strong.pt" ../tiny-strong.gguf --kind likelihood --aggregation product
python3 export.py "$work/prm.pt" ../tiny-prm.gguf --kind tag --aggregation last
python3 export.py "$work/reviser.pt" ../tiny-reviser.gguf --kind reviser
python3 export.py "$work/large.pt" ../tiny-large.gguf --kind generator --type Q8_0
python3 export.py "$work/heldout.jsonl" ../heldout.jsonl --kind heldout
python3 export.py "$work/calibration.jsonl" ../calibration.jsonl --kind calibration
python3 check_splits.py "$work/heldout.jsonl" "$work/pool.jsonl" "$work/pool-2.jsonl" "$work/mc_samples.jsonl"
python3 evaluate.py "$work/heldout.jsonl" --greedy "$work/generator.pt" "$work/strong.pt" "$work/large.pt" \
  --likelihood "$work/generator.pt" "$work/strong.pt" --prm "$work/prm.pt" --problems 240 --aggregation product
