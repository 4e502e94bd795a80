#!/usr/bin/env python3
"""Prints what bench/gpu/run has measured as tables: python3 table.py FOLDER

The limit of a step is the longer of two times: its bytes at the card's highest measured bandwidth, and its operations at
the card's highest measured rate of matrix products (f16 or 8 bits: llama.cpp multiplies quantised weights as 8-bit
integers). Bytes are those of all weights, but for an embedding that is only looked up, and of every distinct KV cell, read
once; so it is the limit of a step that shares what can be shared, by whatever way.
"""
import json
import os
import sys


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file if line.startswith("{")]


def limit_ms(row, own, bandwidth, rate):
    head_size = row["width"] // row["heads"]
    cells = row["prompt"] + row["branches"] * own
    cell_bytes = 2 * 2 * row["layers"] * row["kv_heads"] * head_size
    attention = 4 * row["layers"] * row["heads"] * head_size * (row["prompt"] + own)
    bytes_moved = row["bytes"] + cells * cell_bytes
    operations = row["branches"] * (2 * row["weights"] + attention)
    return 1e3 * max(bytes_moved / bandwidth, operations / rate)


def main(folder):
    ceilings = {c["what"]: c["value"] for c in lines(os.path.join(folder, "ceilings.jsonl"))}
    bandwidth = max(ceilings.get("copy_bytes_per_second", 0), ceilings.get("read_bytes_per_second", 0))
    rate = max(ceilings.get("f16_operations_per_second", 0), ceilings.get("i8_operations_per_second", 0))
    for name, value in sorted(ceilings.items()):
        print(f"- {name}: {value:.4g}")
    print("\n| model | branches | way | tokens/s | step ms, median | late step ms, median | late limit ms | of the limit |")
    print("|---|---|---|---|---|---|---|---|")
    for row in lines(os.path.join(folder, "steps.jsonl")):
        name = f"| {row['shape']} {row['type']} | {row['branches']} | {row['way']} |"
        if "error" in row:
            print(f"{name} {row['error']} | | | | |")
            continue
        speed = 1e3 * row["branches"] * row["own"] / row["ms"]
        measured = f"{name} {speed:.0f} | {row['step_ms']:.3f} | {row['late_step_ms']:.3f} |"
        if not bandwidth or not rate:
            print(f"{measured} | |")
            continue
        limit = limit_ms(row, 0.875 * row["own"], bandwidth, rate)
        print(f"{measured} {limit:.3f} | {100 * limit / row['late_step_ms']:.0f}% |")


if __name__ == "__main__":
    main(sys.argv[1])
