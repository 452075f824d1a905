"""Writes tiny.safetensors: what PyTorch computes for a tiny model, for tests/golden.rs to compare with.

    python3 tests/golden/generate.py

Made with Debian's python3-torch 1.13.0 and NumPy 1.24.2. The weights are rounded to float32 first; everything after
that is computed in float64 and rounded once at the end, so the file holds what exact arithmetic gives, to float32's
precision. Attention, RoPE, RMSNorm, SwiGLU and the loss are written out; autograd, AdamW and clipping are PyTorch's own.
"""

import json
import math
import pathlib

import numpy
import torch

VOCAB, CONTEXT, WIDTH, LAYERS, HEADS, INNER, BATCH = 37, 11, 24, 2, 3, 20, 3
STEPS, THETA, NORM_EPS = 10, 10_000.0, 1e-5
MAX_LR, MIN_LR, WARMUP, COSINE = 1e-2, 1e-3, 3, 8
BETAS, ADAM_EPS, DECAY, MAX_NORM = (0.9, 0.95), 1e-8, 0.1, 1.0


def weights(generator):
    """Names and shapes of CS336; gains near 1, so that their gradients matter."""
    def matrix(d_out, d_in):
        return torch.randn(d_out, d_in, generator=generator) * math.sqrt(2 / (d_in + d_out))

    def gain():
        return 1 + 0.2 * torch.randn(WIDTH, generator=generator)

    named = {"token_embeddings.weight": torch.randn(VOCAB, WIDTH, generator=generator)}
    for layer in range(LAYERS):
        for projection in ("q", "k", "v", "output"):
            named[f"layers.{layer}.attn.{projection}_proj.weight"] = matrix(WIDTH, WIDTH)
        named[f"layers.{layer}.ffn.w1.weight"] = matrix(INNER, WIDTH)
        named[f"layers.{layer}.ffn.w2.weight"] = matrix(WIDTH, INNER)
        named[f"layers.{layer}.ffn.w3.weight"] = matrix(INNER, WIDTH)
        named[f"layers.{layer}.ln1.weight"] = gain()
        named[f"layers.{layer}.ln2.weight"] = gain()
    named["ln_final.weight"] = gain()
    named["lm_head.weight"] = matrix(VOCAB, WIDTH)
    return {name: value.double().requires_grad_() for name, value in named.items()}


def rmsnorm(x, gain):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPS) * gain


def rope(x):
    """Rotates neighbouring pairs of x (B, H, T, D) by position * theta^(-2i/D)."""
    size = x.shape[-1]
    frequency = THETA ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    even, odd = x[..., 0::2], x[..., 1::2]
    rotated = (even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos())
    return torch.stack(rotated, -1).flatten(-2)


def attention(x, w, prefix):
    batch, length, _ = x.shape
    q, k, v = (
        (x @ w[f"{prefix}.{name}_proj.weight"].T).view(batch, length, HEADS, -1).transpose(1, 2) for name in "qkv"
    )
    scores = rope(q) @ rope(k).transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    probabilities = scores.masked_fill(later, -math.inf).softmax(-1)
    mixed = (probabilities @ v).transpose(1, 2).reshape(batch, length, WIDTH)
    return mixed @ w[f"{prefix}.output_proj.weight"].T, probabilities


def swiglu(x, w, prefix):
    gate = x @ w[f"{prefix}.w1.weight"].T
    return (gate * gate.sigmoid() * (x @ w[f"{prefix}.w3.weight"].T)) @ w[f"{prefix}.w2.weight"].T


def forward(w, tokens):
    """Logits (B, T, V) and the softmax weights of every layer (L, B, H, T, T)."""
    x, maps = w["token_embeddings.weight"][tokens], []
    for layer in range(LAYERS):
        prefix = f"layers.{layer}"
        mixed, probabilities = attention(rmsnorm(x, w[f"{prefix}.ln1.weight"]), w, f"{prefix}.attn")
        x = x + mixed
        x = x + swiglu(rmsnorm(x, w[f"{prefix}.ln2.weight"]), w, f"{prefix}.ffn")
        maps.append(probabilities)
    return rmsnorm(x, w["ln_final.weight"]) @ w["lm_head.weight"].T, torch.stack(maps)


def learning_rate(step):
    if step < WARMUP:
        return MAX_LR * step / WARMUP
    progress = min(1.0, (step - WARMUP) / (COSINE - WARMUP))
    return MIN_LR + 0.5 * (1 + math.cos(math.pi * progress)) * (MAX_LR - MIN_LR)


def train(w, batches, out):
    matrices = [value for value in w.values() if value.dim() == 2]
    gains = [value for value in w.values() if value.dim() == 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": gains, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=ADAM_EPS)
    losses, norms, rates = [], [], []
    for step, batch in enumerate(batches, 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        logits, maps = forward(w, batch[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(w.values(), MAX_NORM)
        if step == 1:
            out["logits"], out["attention"] = logits, maps
            out.update({f"clipped_grad.{name}": value.grad.clone() for name, value in w.items()})
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm.item())
        rates.append(learning_rate(step))
    out["losses"], out["grad_norms"], out["lrs"] = (torch.tensor(x) for x in (losses, norms, rates))
    out.update({f"final.{name}": value for name, value in w.items()})


def write(path, tensors):
    """The safetensors format: the header's length, the header, the numbers."""
    header, blobs, at = {}, [], 0
    for name, value in tensors.items():
        array = value.detach().numpy()
        dtype, array = ("I32", array.astype("<i4")) if array.dtype.kind == "i" else ("F32", array.astype("<f4"))
        blob = numpy.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def main():
    generator = torch.Generator().manual_seed(336)
    w = weights(generator)
    batches = torch.randint(0, VOCAB, (STEPS, BATCH, CONTEXT + 1), generator=generator)
    out = {"tokens": batches}
    out.update({f"weights.{name}": value.detach().clone() for name, value in w.items()})
    train(w, batches, out)
    path = pathlib.Path(__file__).with_name("tiny.safetensors")
    write(path, out)
    print(f"{path}: {path.stat().st_size} bytes, losses {out['losses'].tolist()}, norms {out['grad_norms'].tolist()}")


if __name__ == "__main__":
    main()
