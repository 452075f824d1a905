#!/usr/bin/env python3
"""Measures what the filters do to a model: trains it on dirty, filtered and clean text with equal tokens.

    tests/filter/effect.py BINARY [--steps 1500] [--seeds 3] [--megabytes 8] [--work FOLDER]

Dirty text is the plain text of generated pages, filtered text is what `glasshead data run` keeps of them, and clean text is
the stories that the pages were made of. All three train the preset nano on bytes with equal steps, batches and seeds; the
loss is that on stories that are in none of them, in nats per byte. Needs NumPy.
"""

import argparse
import json
import math
import pathlib
import struct
import subprocess
import tempfile

import numpy

BATCH, CONTEXT = 8, 64
END = "<|endoftext|>\n"
SETTINGS = '[phrases]\nenabled = true\nphrases = ["[insult]"]\n'


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def texts(binary, work, megabytes):
    """Writes dirty.txt, filtered.txt and clean.txt, and returns held-out stories."""
    pages, settings = work / "pages.jsonl", work / "settings.toml"
    run(binary, "data", "generate", "--out", pages, "--megabytes", megabytes, "--seed", 1)
    settings.write_text(SETTINGS)
    print(run(binary, "data", "run", settings, "--in", pages, "--out", work / "filtered"))
    print(run(binary, "data", "labels", work / "filtered", "--pages", pages))
    rows = [json.loads(line) for line in pages.open()]
    kept = [json.loads(line)["text"] for line in (work / "filtered" / "kept.jsonl").open()]
    arms = {"dirty": [row["text"] for row in rows], "filtered": kept,
            "clean": [row["text"] for row in rows if row["label"] == "clean"]}
    for name, documents in arms.items():
        text = END.join(documents)
        (work / f"{name}.txt").write_text(text)
        print(f"{name}: {len(documents)} documents, {len(text.encode()) / 1e6:.2f} MB")
    other = work / "other.jsonl"
    run(binary, "data", "generate", "--out", other, "--megabytes", 2, "--seed", 77)
    held_out = [row["text"] for row in map(json.loads, other.open()) if row["label"] == "clean"]
    return [text for text in held_out if text not in set(arms["clean"])]


def loss(binary, model, held_out, work, n_windows):
    """The mean loss per byte on windows of the held-out stories."""
    losses, out = [], work / "logits.safetensors"
    for text in held_out[:n_windows]:
        run(binary, "logits", "--model", model, "--text", text.encode()[:CONTEXT].decode(errors="ignore"), "--out", out, "--backend", "cpu")
        blob = out.read_bytes()
        (length,) = struct.unpack("<Q", blob[:8])
        header, data = json.loads(blob[8:8 + length]), blob[8 + length:]
        read = lambda name, kind: numpy.frombuffer(data[slice(*header[name]["data_offsets"])], kind).reshape(header[name]["shape"])
        ids, logits = read("ids", "<i8"), read("logits", "<f4").astype("f8")
        log_p = logits - numpy.log(numpy.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) - logits.max(1, keepdims=True)
        losses.append(-log_p[numpy.arange(len(ids) - 1), ids[1:]].mean())
    return float(numpy.mean(losses))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--work", type=pathlib.Path)
    args = parser.parse_args()
    work = args.work or pathlib.Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    held_out = texts(args.binary, work, args.megabytes)
    results = {}
    for seed in range(1, args.seeds + 1):
        for arm in ("dirty", "filtered", "clean"):
            out = work / f"{arm}-{seed}"
            run(args.binary, "train", "--text", work / f"{arm}.txt", "--backend", "cpu", "--steps", args.steps, "--seed", seed,
                "--set", "vocab_size=257", "--set", f"batch_size={BATCH}", "--set", f"context_length={CONTEXT}",
                "--eval-every", args.steps, "--out", out, "--json")
            results[arm, seed] = loss(args.binary, out, held_out, work, args.windows)
            print(f"{arm}, seed {seed}: {results[arm, seed]:.4f} nats per byte", flush=True)
    mean = {arm: [results[arm, seed] for seed in range(1, args.seeds + 1)] for arm in ("dirty", "filtered", "clean")}
    recovered = [(d - f) / (d - c) for d, f, c in zip(mean["dirty"], mean["filtered"], mean["clean"])]
    # Student's t for 95 % and 1 to 4 degrees of freedom.
    t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(args.seeds, 1.96)
    show = lambda values: (f"{numpy.mean(values):.4f}" if len(values) < 2 else
                           f"{numpy.mean(values):.4f} ± {t * numpy.std(values, ddof=1) / math.sqrt(len(values)):.4f}")
    for arm, values in mean.items():
        print(f"{arm}: {show(values)} nats per byte (95 %)")
    print(f"recovered share of the gap: {show(recovered)}")


if __name__ == "__main__":
    main()
