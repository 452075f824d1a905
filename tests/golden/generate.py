"""Writes what PyTorch computes for tiny models, for tests/golden.rs to compare with:

    tiny.safetensors       the model of CS336: logits, attention, gradients, losses and weights over ten steps
    variants.safetensors   one still smaller model per switch of the configuration

    python3 tests/golden/generate.py

Made with Debian's python3-torch 1.13.0 and NumPy 1.24.2. The weights are rounded to float32 first; everything after
that is computed in float64 and rounded once at the end, so the files hold what exact arithmetic gives, to float32's
precision. Attention, RoPE, RMSNorm, the feed-forward networks and the loss are written out; autograd, LayerNorm, GELU, the
optimizers and clipping are PyTorch's own.
"""

import dataclasses
import json
import math
import pathlib

import numpy
import torch

STEPS, THETA, NORM_EPS = 10, 10_000.0, 1e-5
MAX_LR, MIN_LR, WARMUP, END = 1e-2, 1e-3, 3, 8
BETAS, ADAM_EPS, DECAY, MOMENTUM, MAX_NORM = (0.9, 0.95), 1e-8, 0.1, 0.9, 1.0


@dataclasses.dataclass
class Config:
    vocab: int = 13
    context: int = 5
    width: int = 8
    layers: int = 2
    heads: int = 4
    kv_heads: int = 4
    inner: int = 12
    batch: int = 2
    norm: str = "rmsnorm"
    norm_placement: str = "pre"
    positions: str = "rope"
    feed_forward: str = "swiglu"
    bias: bool = False
    tied: bool = False
    optimizer: str = "adamw"
    schedule: str = "cosine"
    accumulation: int = 1
    causal: bool = True

    @property
    def size(self):
        return self.width // self.heads


TINY = Config(vocab=37, context=11, width=24, heads=3, kv_heads=3, inner=20, batch=3)
VARIANTS = {
    "layernorm": Config(norm="layernorm"),
    "no_norm": Config(norm="none"),
    "post_norm": Config(norm_placement="post"),
    "post_layernorm_bias": Config(norm="layernorm", norm_placement="post", bias=True),
    "learned_positions": Config(positions="learned"),
    "no_positions": Config(positions="none"),
    "silu": Config(feed_forward="silu"),
    "gelu": Config(feed_forward="gelu"),
    "bias": Config(bias=True),
    "tied": Config(tied=True),
    "grouped_queries": Config(kv_heads=2),
    "one_kv_head": Config(kv_heads=1),
    "sgd": Config(optimizer="sgd"),
    "linear_schedule": Config(schedule="linear"),
    "constant_schedule": Config(schedule="constant"),
    "accumulation": Config(accumulation=3),
    "gpt2": Config(norm="layernorm", positions="learned", feed_forward="gelu", bias=True, tied=True),
    "no_mask": Config(causal=False),
}


def weights(config, generator):
    """Names and shapes of CS336; gains near 1 and biases off 0, so that their gradients matter."""
    def matrix(d_out, d_in):
        return torch.randn(d_out, d_in, generator=generator) * math.sqrt(2 / (d_in + d_out))

    def vector(size, middle):
        return middle + 0.2 * torch.randn(size, generator=generator)

    def linear(name, d_out, d_in):
        named[f"{name}.weight"] = matrix(d_out, d_in)
        if config.bias:
            named[f"{name}.bias"] = vector(d_out, 0)

    def norm(name):
        if config.norm != "none":
            named[f"{name}.weight"] = vector(config.width, 1)
        if config.norm == "layernorm" and config.bias:
            named[f"{name}.bias"] = vector(config.width, 0)

    width, inner = config.width, config.inner
    named = {"token_embeddings.weight": torch.randn(config.vocab, width, generator=generator)}
    if config.positions == "learned":
        named["position_embeddings.weight"] = torch.randn(config.context, width, generator=generator)
    for layer in range(config.layers):
        kv_width = config.kv_heads * config.size
        for projection, d_out in (("q", width), ("k", kv_width), ("v", kv_width), ("output", width)):
            linear(f"layers.{layer}.attn.{projection}_proj", d_out, width)
        linear(f"layers.{layer}.ffn.w1", inner, width)
        linear(f"layers.{layer}.ffn.w2", width, inner)
        if config.feed_forward == "swiglu":
            linear(f"layers.{layer}.ffn.w3", inner, width)
        norm(f"layers.{layer}.ln1")
        norm(f"layers.{layer}.ln2")
    if config.norm_placement == "pre":
        norm("ln_final")
    if not config.tied:
        named["lm_head.weight"] = matrix(config.vocab, width)
    return {name: value.double().requires_grad_() for name, value in named.items()}


def linear(x, w, name):
    return torch.nn.functional.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def norm(config, x, w, name):
    if config.norm == "none":
        return x
    gain = w[f"{name}.weight"]
    if config.norm == "layernorm":
        return torch.nn.functional.layer_norm(x, (config.width,), gain, w.get(f"{name}.bias"), NORM_EPS)
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPS) * gain


def rope(x):
    """Rotates neighbouring pairs of x (B, H, T, D) by position * theta^(-2i/D)."""
    size = x.shape[-1]
    frequency = THETA ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    even, odd = x[..., 0::2], x[..., 1::2]
    rotated = (even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos())
    return torch.stack(rotated, -1).flatten(-2)


def attention(config, x, w, prefix):
    batch, length, _ = x.shape
    q, k, v = (linear(x, w, f"{prefix}.{name}_proj").view(batch, length, -1, config.size).transpose(1, 2) for name in "qkv")
    if config.positions == "rope":
        q, k = rope(q), rope(k)
    k, v = (y.repeat_interleave(config.heads // config.kv_heads, 1) for y in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(config.size)
    if config.causal:
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    probabilities = scores.softmax(-1)
    mixed = (probabilities @ v).transpose(1, 2).reshape(batch, length, config.width)
    return linear(mixed, w, f"{prefix}.output_proj"), probabilities


def feed_forward(config, x, w, prefix):
    gate = linear(x, w, f"{prefix}.w1")
    if config.feed_forward == "gelu":
        # The form with tanh; PyTorch's own `approximate="tanh"`.
        hidden = torch.nn.functional.gelu(gate, approximate="tanh")
    else:
        hidden = gate * gate.sigmoid()
    if config.feed_forward == "swiglu":
        hidden = hidden * linear(x, w, f"{prefix}.w3")
    return linear(hidden, w, f"{prefix}.w2")


def forward(config, w, tokens):
    """Logits (B, T, V) and the softmax weights of every layer (L, B, H, T, T)."""
    x, maps = w["token_embeddings.weight"][tokens], []
    if config.positions == "learned":
        x = x + w["position_embeddings.weight"]
    for layer in range(config.layers):
        prefix = f"layers.{layer}"
        if config.norm_placement == "pre":
            mixed, probabilities = attention(config, norm(config, x, w, f"{prefix}.ln1"), w, f"{prefix}.attn")
            x = x + mixed
            x = x + feed_forward(config, norm(config, x, w, f"{prefix}.ln2"), w, f"{prefix}.ffn")
        else:
            mixed, probabilities = attention(config, x, w, f"{prefix}.attn")
            x = norm(config, x + mixed, w, f"{prefix}.ln1")
            x = norm(config, x + feed_forward(config, x, w, f"{prefix}.ffn"), w, f"{prefix}.ln2")
        maps.append(probabilities)
    if config.norm_placement == "pre":
        x = norm(config, x, w, "ln_final")
    head = w["token_embeddings.weight" if config.tied else "lm_head.weight"]
    return x @ head.T, torch.stack(maps)


def learning_rate(config, step):
    if step < WARMUP:
        return MAX_LR * step / WARMUP
    progress = min(1.0, (step - WARMUP) / (END - WARMUP))
    falling = {"constant": 1.0, "linear": 1 - progress, "cosine": 0.5 * (1 + math.cos(math.pi * progress))}
    return MIN_LR + falling[config.schedule] * (MAX_LR - MIN_LR)


def optimizer_of(config, w):
    matrices = [value for value in w.values() if value.dim() == 2]
    vectors = [value for value in w.values() if value.dim() == 1]
    groups = [{"params": values, "weight_decay": decay} for values, decay in ((matrices, DECAY), (vectors, 0.0)) if values]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=BETAS, eps=ADAM_EPS)
    # PyTorch's SGD couples its weight decay with the gradient; ours is decoupled, so `train` applies it.
    return torch.optim.SGD([{"params": group["params"]} for group in groups], lr=MAX_LR, momentum=MOMENTUM)


def train(config, w, batches, out):
    optimizer = optimizer_of(config, w)
    losses, norms, rates = [], [], []
    for step in range(1, STEPS + 1):
        rate = learning_rate(config, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        mean = 0.0
        for part in range(config.accumulation):
            batch = batches[(step - 1) * config.accumulation + part]
            logits, maps = forward(config, w, batch[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
            (loss / config.accumulation).backward()
            mean += loss.item() / config.accumulation
            if step == 1 and part == 0:
                out["logits"], out["attention"] = logits, maps
                if not config.causal:
                    # What a model that writes can know: the last position, with nothing behind it.
                    ends = [forward(config, w, batch[:, :end])[0][:, -1] for end in range(1, config.context + 1)]
                    out["end_logits"] = torch.stack(ends, 1)
        norm = torch.nn.utils.clip_grad_norm_(w.values(), MAX_NORM)
        if step == 1:
            out.update({f"clipped_grad.{name}": value.grad.clone() for name, value in w.items()})
        if config.optimizer == "sgd":
            for value in w.values():
                value.data *= 1 - rate * DECAY if value.dim() == 2 else 1
        optimizer.step()
        losses.append(mean)
        norms.append(norm.item())
        rates.append(rate)
    out["losses"], out["grad_norms"], out["lrs"] = (torch.tensor(x) for x in (losses, norms, rates))
    out.update({f"final.{name}": value for name, value in w.items()})


def run(config, generator):
    """Tokens and first weights, and what comes of them."""
    w = weights(config, generator)
    shape = (STEPS * config.accumulation, config.batch, config.context + 1)
    batches = torch.randint(0, config.vocab, shape, generator=generator)
    out = {"tokens": batches}
    out.update({f"weights.{name}": value.detach().clone() for name, value in w.items()})
    train(config, w, batches, out)
    return out


def write(name, tensors):
    """The safetensors format: the header's length, the header, the numbers."""
    header, blobs, at = {}, [], 0
    for key, value in tensors.items():
        array = value.detach().numpy()
        dtype, array = ("I32", array.astype("<i4")) if array.dtype.kind == "i" else ("F32", array.astype("<f4"))
        blob = numpy.ascontiguousarray(array).tobytes()
        header[key] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(__file__).with_name(name)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    print(f"{path}: {path.stat().st_size} bytes")


def main():
    tiny = run(TINY, torch.Generator().manual_seed(336))
    print(f"losses {tiny['losses'].tolist()}, norms {tiny['grad_norms'].tolist()}")
    write("tiny.safetensors", tiny)
    variants = {}
    for seed, (name, config) in enumerate(VARIANTS.items()):
        out = run(config, torch.Generator().manual_seed(seed))
        print(f"{name}: losses {out['losses'][0]:.4f} to {out['losses'][-1]:.4f}")
        variants.update({f"{name}/{key}": value for key, value in out.items() if key != "attention"})
    write("variants.safetensors", variants)


if __name__ == "__main__":
    main()
