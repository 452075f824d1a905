"""Writes what PyTorch draws after `torch.manual_seed`, for tests/lesson/../lesson.rs to compare with:

    torch_streams.json     per seed: randn(3, 2), then randn(5), randn(2), randn(4, 5), randn(2, 8), Linear(3, 2),
                           Linear(7, 4), one after the other from one stream

    /usr/bin/python3 tests/lesson/generate.py

Made with Debian's python3-torch 1.13.1 on the CPU (x86-64 with AVX2).
"""

import json
import pathlib

import torch

SEEDS = [0, 1, 7, 123, 1234, 2024, 65_537, 2**31 - 1, 2**32 - 1, 2**32 + 5]


def stream(seed):
    torch.manual_seed(seed)
    drawn = [torch.randn(3, 2), torch.randn(5), torch.randn(2), torch.randn(4, 5), torch.randn(2, 8)]
    drawn += [torch.nn.Linear(d_in, d_out, bias=False).weight.detach() for d_in, d_out in [(3, 2), (7, 4)]]
    return {"seed": seed, "drawn": [tensor.double().flatten().tolist() for tensor in drawn]}


lines = ",\n".join(json.dumps(stream(seed)) for seed in SEEDS)
pathlib.Path(__file__).with_name("torch_streams.json").write_text(f"[\n{lines}\n]\n")
