#!/usr/bin/env python3
"""Writes adamw.json: what torch.optim.AdamW computes in float64 for betas near 1, near 0 and between.

    python3 tests/ops/adamw.py > tests/ops/adamw.json

The gradients are exact in float32: ((37 t + 11 i) mod 101 - 50) / 64 * 2^-i for step t from 1 and element i.
"""

import json

import torch

BETAS = [(0.9, 0.95), (0.9, 0.999), (0.999, 0.999999), (0.9, 0.99999999), (0.0, 0.0), (0.3, 0.45)]
STEPS = 200
START = [0.5, -1.25, 3.0, 0.0]


def gradient(t):
    return torch.tensor([((37 * t + 11 * i) % 101 - 50) / 64 * 2.0**-i for i in range(len(START))], dtype=torch.float64)


def run(betas):
    p = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = torch.optim.AdamW([p], lr=1e-3, betas=betas, eps=1e-8, weight_decay=0.1)
    for t in range(1, STEPS + 1):
        p.grad = gradient(t)
        optimizer.step()
    state = optimizer.state[p]
    names = {"p": p.detach(), "m": state["exp_avg"], "v": state["exp_avg_sq"]}
    return {"betas": betas} | {name: tensor.tolist() for name, tensor in names.items()}


print(json.dumps({"steps": STEPS, "start": START, "runs": [run(betas) for betas in BETAS]}, indent=1))
