"""Holds examples/scale-out/train.py, on two processes, against Glasshead going on by itself.

    python3 -m venv --system-site-packages venv && venv/bin/pip install transformers==4.46.3
    venv/bin/python tests/interop/scale_out.py target/release/glasshead [--fsdp]

A model is trained here for a while and exported with its training state. PyTorch takes it on for some steps, and so does
Glasshead: losses, learning rates and gradient norms of every step have to agree. Then what PyTorch has written is
imported, and goes on here as the model does that never left.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

BINARY, *OPTIONS = sys.argv[1:]
EXAMPLE = Path(__file__).parents[2] / "examples/scale-out/train.py"
BEFORE, THERE, AFTER = 30, 15, 5
SENTENCES = ["The cat sat on the mat.", "A fox ran over the hill.", "Tom gave the red ball to Lily.", "It was a good day."]
GPT2 = ["norm=layernorm", "positions=learned", "feed_forward=gelu", "bias=true", "tied_embeddings=true"]


def lines(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def distributed(*command):
    """What two processes print. They are told what torchrun tells, because Debian's does not run under its Python."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    start = lambda rank: subprocess.Popen(
        [sys.executable, *map(str, command)], env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    told = [(process, *process.communicate()) for process in [start(0), start(1)]]
    for process, out, err in told:
        assert process.returncode == 0, f"{command}\n{out}\n{err}"
    return [json.loads(line) for _, out, _ in told for line in out.splitlines() if line.startswith("{")]


def train(out, log, *options):
    lines(BINARY, "train", "--backend", "cpu", "--json", "--out", out, "--log-dir", log, *options)
    steps = map(json.loads, (log / "log.jsonl").read_text().splitlines())
    return {step["step"]: step for step in steps if "loss" in step}


def compare(what, ours, theirs):
    for field, tolerance in [("loss", 1e-4), ("lr", 1e-6), ("grad_norm", 1e-3)]:
        worst = max(abs(ours[step][field] / theirs[step][field] - 1) for step in theirs)
        print(f"{what:48} {field:9} of {len(theirs)} steps within {worst:.1e}", flush=True)
        assert worst <= tolerance, (what, field)


def both_ways(name, text, work, switches):
    sets = [option for switch in [*switches, "schedule_steps=80", "warmup_steps=5"] for option in ("--set", switch)]
    model, exported, further, back = (work / f"{name}-{part}" for part in ("model", "exported", "further", "back"))
    train(model, work / f"{name}-log", "--text", text, "--steps", BEFORE, *sets)
    lines(BINARY, "export", "--model", model, "--training-state", exported)

    stayed = work / f"{name}-stayed"
    options = ["--text", text, "--resume", model, "--steps", BEFORE + THERE + AFTER]
    ours = train(stayed, work / f"{name}-stayed-log", *options)

    tokens = work / f"{name}.bin"
    lines(BINARY, "tokenizer", "encode", "--tokenizer", exported / "tokenizer.json", "--text", text, "--out", tokens)
    paths = ["--model", exported, "--data", tokens, "--out", further]
    steps = distributed(EXAMPLE, *paths, "--steps", THERE, "--micro-batch", 2, *OPTIONS)
    theirs = {step["step"]: step for step in steps}
    assert sorted(theirs) == list(range(BEFORE + 1, BEFORE + THERE + 1)), sorted(theirs)
    compare(f"{name}: PyTorch on two processes", ours, theirs)

    lines(BINARY, "import", further, "--out", back)
    options[3:] = [back, "--steps", BEFORE + THERE + AFTER]
    again = train(work / f"{name}-again", work / f"{name}-again-log", *options)
    assert min(again) == BEFORE + THERE + 1, min(again)
    compare(f"{name}: back here", ours, again)


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        text = work / "text.txt"
        story = lambda i: " ".join(SENTENCES[(i * i + i // 3 + k) % 4] for k in range(5)) + "\n<|endoftext|>\n"
        text.write_text("".join(story(i) for i in range(400)))
        small = ["vocab_size=300", "context_length=32"]
        both_ways("llama", text, work, [*small, "n_kv_heads=2", "accumulation_steps=2"])
        both_ways("gpt2", text, work, [*small, *GPT2])
    print("PyTorch goes on where Glasshead stood, and back")


main()
