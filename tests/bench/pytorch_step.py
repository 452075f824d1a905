"""Trains the workload of `glasshead bench step` with PyTorch on the CPU and prints its tokens/s as JSON.

    python3 tests/bench/pytorch_step.py --threads 1

Needs PyTorch and a fast BLAS; on Debian: apt-get install python3-torch libopenblas0-pthread. Without the latter, Debian's
PyTorch is about ten times slower, and the comparison says nothing. 4 layers, d_model 128, 4 heads, context 128, batch 8,
vocabulary 512, SwiGLU with d_ff 344, RMSNorm, RoPE, AdamW in two decay groups, clipping to a norm of 1: eager, as most
people write it, with the fused operations that this version of PyTorch has.
"""

import argparse
import json
import math
import os
import statistics
import time

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--threads", type=int, default=1)
PARSER.add_argument("--runs", type=int, default=5)
PARSER.add_argument("--steps", type=int, default=4)
ARGS = PARSER.parse_args()
# OpenBLAS has threads of its own, and asks once, when it is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = str(ARGS.threads)

import torch
import torch.nn.functional as F

LAYERS, D_MODEL, HEADS, CONTEXT, BATCH, VOCABULARY, D_FF = 4, 128, 4, 128, 8, 512, 344
D_HEAD = D_MODEL // HEADS


class RmsNorm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(D_MODEL))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.gain


def linear(d_in, d_out):
    layer = torch.nn.Linear(d_in, d_out, bias=False)
    torch.nn.init.normal_(layer.weight, std=math.sqrt(2 / (d_in + d_out)))
    return layer


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = RmsNorm(), RmsNorm()
        self.qkv, self.output = linear(D_MODEL, 3 * D_MODEL), linear(D_MODEL, D_MODEL)
        self.w1, self.w3, self.w2 = linear(D_MODEL, D_FF), linear(D_MODEL, D_FF), linear(D_FF, D_MODEL)

    def forward(self, x, cos, sin, masked):
        heads = self.qkv(self.norm1(x)).view(BATCH, CONTEXT, 3, HEADS, D_HEAD).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind(0)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(D_HEAD)
        weights = scores.masked_fill(masked, float("-inf")).softmax(-1)
        x = x + self.output((weights @ v).transpose(1, 2).reshape(BATCH, CONTEXT, D_MODEL))
        y = self.norm2(x)
        return x + self.w2(F.silu(self.w1(y)) * self.w3(y))


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, D_MODEL)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = RmsNorm(), linear(D_MODEL, VOCABULARY)
        angles = torch.arange(CONTEXT)[:, None] * 10_000.0 ** (-torch.arange(0, D_HEAD, 2) / D_HEAD)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.register_buffer("masked", torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1))

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, self.cos, self.sin, self.masked)
        return self.head(self.norm(x))


def main():
    args = ARGS
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model, tokens = Model(), torch.randint(VOCABULARY, (100 * CONTEXT,))
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
    losses = []

    def step():
        starts = torch.randint(len(tokens) - CONTEXT, (BATCH,)).tolist()
        windows = torch.stack([tokens[start : start + CONTEXT + 1] for start in starts])
        logits = model(windows[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), windows[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())

    for _ in range(args.steps):
        step()
    speeds, busy = [], time.process_time()
    for _ in range(args.runs):
        began = time.perf_counter()
        for _ in range(args.steps):
            step()
        speeds.append(args.steps * BATCH * CONTEXT / (time.perf_counter() - began))
    busy = time.process_time() - busy
    result = {
        "program": f"PyTorch {torch.__version__}",
        "threads": args.threads,
        "tokens_per_s": statistics.median(speeds),
        "tokens_per_s_runs": speeds,
        # Of all threads; on a busy machine this is what can be compared.
        "tokens_per_cpu_s": args.runs * args.steps * BATCH * CONTEXT / busy,
        "loss_first": losses[0],
        "loss_last": losses[-1],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
