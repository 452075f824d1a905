#!/usr/bin/env python3
"""Measures what repeated text does to a model: half of its training text is a part of the stories that is repeated R times.

    tests/filter/repetition.py BINARY [--steps 1500] [--seeds 2] [--times 1 16 64 256] [--work FOLDER]

All texts have the same length and train the preset nano on bytes with equal steps, batches and seeds; the loss is that on stories
that are in none of them, in nats per byte. Exits with 1 unless the mean loss rises with R, by at least 0.08 in all. Needs NumPy.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile

import numpy

from effect import BATCH, CONTEXT, END, loss, run


def stories(binary, work, megabytes, seed):
    """The good texts of generated pages."""
    pages = work / f"stories-{seed}.jsonl"
    run(binary, "data", "generate", "--out", pages, "--megabytes", megabytes, "--seed", seed)
    return [row["text"] for row in map(json.loads, pages.open()) if row["label"] == "clean"]


def take(texts, n_bytes):
    """Texts of about this many bytes, and the rest."""
    at = total = 0
    while at < len(texts) and total < n_bytes:
        total += len(texts[at].encode()) + len(END)
        at += 1
    return texts[:at], texts[at:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--work", type=pathlib.Path)
    args = parser.parse_args()
    work = args.work or pathlib.Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    half = args.steps * BATCH * CONTEXT // 2
    known = stories(args.binary, work, 12, 1)
    held_out = [text for text in stories(args.binary, work, 2, 77) if text not in set(known)]
    once, rest = take(known, half)
    means = []
    for times in args.times:
        part, _ = take(rest, half / times)
        documents = once + part * times
        random.Random(1).shuffle(documents)
        path = work / f"repeated-{times}.txt"
        path.write_text(END.join(documents))
        losses = []
        for seed in range(1, args.seeds + 1):
            out = work / f"repeated-{times}-{seed}"
            run(args.binary, "train", "--text", path, "--backend", "cpu", "--steps", args.steps, "--seed", seed,
                "--set", "vocab_size=257", "--set", f"batch_size={BATCH}", "--set", f"context_length={CONTEXT}",
                "--eval-every", args.steps, "--out", out, "--json")
            losses.append(loss(args.binary, out, held_out, work, args.windows))
        means.append(float(numpy.mean(losses)))
        each = ", ".join(f"{value:.4f}" for value in losses)
        print(f"repeated {times} times, {path.stat().st_size / 1e3:.0f} kB: {means[-1]:.4f} nats per byte ({each})", flush=True)
    sys.exit(not (means == sorted(means) and means[-1] - means[0] >= 0.08))


if __name__ == "__main__":
    main()
