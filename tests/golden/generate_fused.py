"""PyTorch's numbers for the fused kernels: `fused.safetensors`, read by tests/fusions.rs.

    python3 tests/golden/generate_fused.py

64 rows: two sequences of 32 positions. Three heads of size 4 for queries, three for keys, three for values.
"""
from pathlib import Path

import torch
from safetensors.torch import save_file

N, T, C, D, F, OUT = 64, 32, 12, 4, 20, 36
torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def leaf(*shape):
    """Rounded to f32, which is what the kernels get."""
    return (2 * torch.rand(*shape) - 1).float().double().requires_grad_()


def rotate(x):
    """RoPE on neighboring pairs of every head, position t of a sequence by t / 10000^(2i / D)."""
    angles = torch.arange(T)[:, None] / 10000 ** (torch.arange(0, D, 2) / D)
    cos, sin = (table.float().double().repeat(N // T, 1)[:, None] for table in (angles.cos(), angles.sin()))
    even, odd = x.view(N, -1, D // 2, 2).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(N, -1)


x, gain, w_qkv = leaf(N, C), leaf(C), leaf(OUT, C)
values = gain * x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
y = values @ w_qkv.T
rotated = torch.cat([rotate(y[:, : 2 * OUT // 3]), y[:, 2 * OUT // 3 :]], -1)

gate_up, w2, base, out_grad = leaf(N, 2 * F), leaf(C, F), leaf(N, C), leaf(N, C)
gate, up = gate_up.split(F, -1)
hidden = torch.nn.functional.silu(gate) * up
out = base + hidden @ w2.T
gate_up_grad, w2_grad = torch.autograd.grad((out * out_grad).sum(), [gate_up, w2])

tensors = {
    "x": x, "gain": gain, "w_qkv": w_qkv, "values": values, "y": y, "rotated": rotated,
    "gate_up": gate_up, "w2": w2, "base": base, "hidden": hidden, "out": out,
    "out_grad": out_grad, "gate_up_grad": gate_up_grad, "w2_grad": w2_grad,
}
save_file(
    {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()},
    Path(__file__).parent / "fused.safetensors",
)
