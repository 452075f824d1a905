#!/usr/bin/env python3
"""Holds every operation of `glasshead ops` against PyTorch and prints the largest difference of each.

    apt-get install -y python3-torch
    cargo build --release
    /usr/bin/python3 tests/ops/compare.py target/release/glasshead --backend gpu

Speaks the protocol by hand (struct and json), so it needs no package but torch. Exits with 1 when a bound is exceeded.
The attention, the Transformer, the optimizer and the byte-pair encoding are written out here a second time, from their
formulas; what PyTorch has itself is taken from there.
"""

import argparse
import base64
import collections
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

DTYPES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
BY_NAME = {name: dtype for dtype, name in DTYPES.items()}


class Server:
    """A running `glasshead ops`."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, blob):
        self.process.stdin.write(struct.pack("<Q", len(blob)) + blob)
        self.process.stdin.flush()

    def receive(self):
        (length,) = struct.unpack("<Q", self.process.stdout.read(8))
        return unpack(self.process.stdout.read(length))

    def ask(self, op, args=None, **tensors):
        """Returns result and tensors, or raises with the server's sentence."""
        self.send(pack(op, args or {}, tensors))
        metadata, tensors = self.receive()
        if not json.loads(metadata["ok"]):
            raise ValueError(json.loads(metadata["error"]))
        return json.loads(metadata["result"]), tensors

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def pack(op, args, tensors):
    header = {"__metadata__": {"op": json.dumps(op), "args": json.dumps(args)}}
    data = b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def unpack(blob):
    (length,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + length])
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, info in header.items():
        start, end = info["data_offsets"]
        raw = bytearray(blob[8 + length + start : 8 + length + end])
        dtype = BY_NAME[info["dtype"]]
        flat = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(info["shape"])
    return metadata, tensors


# The second implementation.


def rmsnorm(x, w, eps=1e-5):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


def swiglu(x, w1, w2, w3):
    return (F.silu(x @ w1.T) * (x @ w3.T)) @ w2.T


def rope(x, theta, pos):
    d = x.shape[-1]
    frequency = theta ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angle = pos[..., None].double() * frequency
    cosine, sine = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], -1).flatten(-2)


def sdpa(q, k, v, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ v


def causal(t):
    return torch.ones(t, t, dtype=torch.bool).tril()


def mha(x, wq, wk, wv, wo, h, theta=None, pos=None):
    t = x.shape[-2]
    q, k, v = ((x @ w.T).unflatten(-1, (h, -1)).transpose(-2, -3) for w in (wq, wk, wv))
    if theta is not None:
        pos = torch.arange(t) if pos is None else pos.unsqueeze(-2)
        q, k = rope(q, theta, pos), rope(k, theta, pos)
    return sdpa(q, k, v, causal(t)).transpose(-2, -3).flatten(-2) @ wo.T


def block(x, w, h, theta, prefix=""):
    names = [f"{prefix}attn.{name}_proj.weight" for name in ("q", "k", "v", "output")]
    x = x + mha(rmsnorm(x, w[prefix + "ln1.weight"]), *(w[name] for name in names), h, theta)
    ffn = [w[f"{prefix}ffn.w{i}.weight"] for i in (1, 2, 3)]
    return x + swiglu(rmsnorm(x, w[prefix + "ln2.weight"]), *ffn)


def lm(ids, w, h, theta, layers):
    x = w["token_embeddings.weight"][ids]
    for layer in range(layers):
        x = block(x, w, h, theta, f"layers.{layer}.")
    return rmsnorm(x, w["ln_final.weight"]) @ w["lm_head.weight"].T


def block_weights(c, f, prefix=""):
    weights = {f"{prefix}attn.{name}_proj.weight": matrix(c, c) for name in ("q", "k", "v", "output")}
    weights |= {prefix + "ln1.weight": 1 + 0.1 * torch.randn(c), prefix + "ln2.weight": 1 + 0.1 * torch.randn(c)}
    for i, shape in ((1, (f, c)), (2, (c, f)), (3, (f, c))):
        weights[f"{prefix}ffn.w{i}.weight"] = matrix(*shape)
    return weights


def lm_weights(v, c, f, layers):
    weights = {"token_embeddings.weight": torch.randn(v, c), "lm_head.weight": matrix(v, c)}
    for layer in range(layers):
        weights |= block_weights(c, f, f"layers.{layer}.")
    return weights | {"ln_final.weight": 1 + 0.1 * torch.randn(c)}


def matrix(d_out, d_in):
    """As CS336 initialises linear layers."""
    return math.sqrt(2 / (d_in + d_out)) * torch.randn(d_out, d_in)


def cosine_schedule(it, top, bottom, warm, cyc):
    if it < warm:
        return it / warm * top
    if it > cyc:
        return bottom
    return bottom + 0.5 * (1 + math.cos(math.pi * (it - warm) / (cyc - warm))) * (top - bottom)


def train_bpe(text, n, special):
    """The naive way: count all pairs before every merge."""
    pattern = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
    words = collections.Counter()
    for part in re.split("|".join(map(re.escape, special)), text):
        words.update(tuple(bytes([b]) for b in word.encode()) for word in pattern.findall(part))
    vocab = [s.encode() for s in special] + [bytes([b]) for b in range(256)]
    merges = []
    while len(vocab) < n:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        vocab.append(best[0] + best[1])
        words = collections.Counter({merge(word, best): count for word, count in words.items()})
    return vocab, merges


def merge(word, pair):
    out, at = [], 0
    while at < len(word):
        if word[at : at + 2] == pair:
            out.append(pair[0] + pair[1])
            at += 2
        else:
            out.append(word[at])
            at += 1
    return tuple(out)


def encode(text, vocab, merges, special):
    ids = {token: i for i, token in enumerate(vocab)}
    pattern = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
    longest_first = sorted(special, key=len, reverse=True)
    out = []
    for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
        if part in special:
            out.append(ids[part.encode()])
            continue
        for word in pattern.findall(part):
            symbols = tuple(bytes([b]) for b in word.encode())
            for pair in merges:
                symbols = merge(symbols, pair)
            out += [ids[symbol] for symbol in symbols]
    return out


# The comparisons: each yields (bound, difference) pairs.


def gap(ours, theirs):
    assert ours.shape == theirs.shape, f"{list(ours.shape)} instead of {list(theirs.shape)}"
    return (ours.double() - theirs.double()).abs().max().item() if ours.numel() else 0.0


def near(answer, bound=1e-5, **expected):
    _, tensors = answer
    assert set(tensors) == set(expected), f"{sorted(tensors)} instead of {sorted(expected)}"
    for name, theirs in expected.items():
        yield bound, gap(tensors[name], theirs)


def check_linear(ask):
    for leading, d_in, d_out in (((7,), 5, 3), ((2, 3, 4), 64, 33), ((), 16, 8), ((4, 12), 64, 128)):
        x, w = torch.randn(*leading, d_in), matrix(d_out, d_in)
        yield from near(ask("linear", x=x, w=w), out=x @ w.T)


def check_embedding(ask):
    for shape in ((5,), (2, 3), (), (2, 2, 7)):
        w, ids = torch.randn(11, 13), torch.randint(11, shape)
        yield from near(ask("embedding", w=w, ids=ids), 0, out=w[ids])


def check_silu(ask):
    for shape in ((1,), (), (3, 65), (2, 3, 257)):
        x = torch.randn(shape)
        yield from near(ask("silu", x=x), out=F.silu(x))
    x = torch.tensor([-200.0, -90.0, 0.0, 90.0, 200.0])
    yield from near(ask("silu", x=x), out=F.silu(x))


def check_swiglu(ask):
    for leading, c, f in (((6,), 8, 12), ((2, 5), 64, 128), ((), 3, 1)):
        x, w1, w2, w3 = torch.randn(*leading, c), matrix(f, c), matrix(c, f), matrix(f, c)
        yield from near(ask("swiglu", x=x, w1=w1, w2=w2, w3=w3), out=swiglu(x, w1, w2, w3))


def check_rmsnorm(ask):
    for shape, eps in (((4, 7), 1e-5), ((2, 3, 64), 1e-6), ((257,), 1e-3)):
        x, w = torch.randn(shape), torch.randn(shape[-1])
        yield from near(ask("rmsnorm", {"eps": eps}, x=x, w=w), out=rmsnorm(x, w, eps))


def check_softmax(ask):
    for shape in ((5,), (3, 4), (2, 3, 65), (2, 3, 4, 5)):
        for dim in range(-len(shape), len(shape)):
            x = 10 * torch.randn(shape)
            yield from near(ask("softmax", {"dim": dim}, x=x), out=x.softmax(dim))
    yield from near(ask("softmax", {"dim": -1}, x=torch.tensor(3.0)), out=torch.tensor(1.0))
    x = torch.randn(6, 6).masked_fill(~causal(6), -math.inf)
    yield from near(ask("softmax", {"dim": 1}, x=x), out=x.softmax(1))
    x = torch.randn(3, 5) + 1000
    yield from near(ask("softmax", {"dim": 1}, x=x), out=x.softmax(1))


def check_rope(ask):
    for leading, t, d in (((), 9, 8), ((2, 4), 12, 16), ((3,), 33, 2)):
        x = torch.randn(*leading, t, d)
        for pos in (torch.arange(t), torch.randint(-50, 1000, (*leading, t)), torch.randint(99, (1,) * len(leading) + (t,))):
            yield from near(ask("rope", {"theta": 10000.0}, x=x, pos=pos), out=rope(x, 10000.0, pos))


def check_sdpa(ask):
    for leading, tq, tk, d in (((), 5, 5, 8), ((2, 3), 12, 7, 16), ((4,), 1, 40, 64), ((2,), 33, 65, 5)):
        q, k, v = torch.randn(*leading, tq, d), torch.randn(*leading, tk, d), torch.randn(*leading, tk, d)
        yield from near(ask("sdpa", q=q, k=k, v=v), out=sdpa(q, k, v))
        for shape in ((tq, tk), (*leading, tq, tk), (1,) * len(leading) + (tq, tk), (tq, 1)):
            mask = torch.rand(shape) < 0.6
            mask[..., 0] = True
            yield from near(ask("sdpa", q=q, k=k, v=v, mask=mask), out=sdpa(q, k, v, mask))
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[2] = False
    q = torch.randn(5, 4)
    expected = sdpa(q, q, q, mask).nan_to_num(0.0)
    yield from near(ask("sdpa", q=q, k=q, v=q, mask=mask), out=expected)


def check_mha(ask):
    for leading, t, c, h in (((2,), 12, 64, 4), ((), 5, 8, 1), ((2, 3), 9, 24, 2)):
        x, w = torch.randn(*leading, t, c), {name: matrix(c, c) for name in ("wq", "wk", "wv", "wo")}
        yield from near(ask("mha", {"h": h}, x=x, **w), out=mha(x, **w, h=h))
        yield from near(ask("mha", {"h": h, "theta": 10000.0}, x=x, **w), out=mha(x, **w, h=h, theta=10000.0))
        for pos in (torch.randint(500, (*leading, t)), torch.arange(t).expand(*(1,) * len(leading), t) + 3):
            answer = ask("mha", {"h": h, "theta": 10000.0}, x=x, **w, pos=pos)
            yield from near(answer, out=mha(x, **w, h=h, theta=10000.0, pos=pos))


def check_block(ask):
    for leading, t, c, h, f in (((2,), 12, 64, 4, 128), ((), 7, 8, 2, 20), ((2, 2), 5, 16, 1, 24)):
        x, w = torch.randn(*leading, t, c), block_weights(c, f)
        yield from near(ask("block", {"h": h, "theta": 10000.0}, x=x, **w), out=block(x, w, h, 10000.0))


MODELS = ((2, 12, 50, 64, 4, 128, 3), (1, 1, 3, 8, 2, 8, 1), (4, 33, 257, 48, 4, 128, 2))


def check_lm(ask):
    for b, t, v, c, h, f, layers in MODELS:
        ids, w = torch.randint(v, (b, t)), lm_weights(v, c, f, layers)
        answer = ask("lm", {"h": h, "theta": 10000.0, "layers": layers}, ids=ids, **w)
        yield from near(answer, 1e-4, out=lm(ids, w, h, 10000.0, layers))


def check_lm_grad(ask):
    for b, t, v, c, h, f, layers in MODELS:
        ids, targets = torch.randint(v, (b, t)), torch.randint(v, (b, t))
        w = {name: weight.requires_grad_() for name, weight in lm_weights(v, c, f, layers).items()}
        loss = F.cross_entropy(lm(ids, w, h, 10000.0, layers).flatten(0, 1), targets.flatten())
        loss.backward()
        answer = ask("lm_grad", {"h": h, "theta": 10000.0, "layers": layers}, ids=ids, targets=targets, **w)
        grads = {f"grad.{name}": weight.grad for name, weight in w.items()}
        yield from near(answer, loss=loss.detach(), **grads)


def check_cross_entropy(ask):
    for n, v in ((1, 1), (8, 5), (3, 1000), (65, 33)):
        x, t = 3 * torch.randn(n, v), torch.randint(v, (n,))
        yield from near(ask("cross_entropy", x=x, t=t), out=F.cross_entropy(x, t))
    x, t = 1000 * torch.randn(8, 5), torch.randint(5, (8,))
    theirs = F.cross_entropy(x, t)
    yield 1e-6, gap(ask("cross_entropy", x=x, t=t)[1]["out"], theirs) / theirs.item()


def check_clip(ask):
    for top in (0.01, 1.0, 1e6):
        grads = {"a": torch.randn(5, 5), "b.c": torch.randn(3), "d": torch.randn(())}
        norm = torch.cat([g.flatten() for g in grads.values()]).norm()
        scale = min(1.0, top / (norm.item() + 1e-6))
        yield from near(ask("clip", {"max": top}, **grads), **{name: g * scale for name, g in grads.items()})


def check_adamw(ask):
    options = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "wd": 0.01}
    target = torch.randn(3, 2)
    theirs = torch.nn.Parameter(torch.randn(3, 2))
    ours = {"p": theirs.detach().clone(), "m": torch.zeros(3, 2), "v": torch.zeros(3, 2)}
    keywords = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}
    optimizer = torch.optim.AdamW([theirs], **keywords)
    start = time.time()
    for t in range(1, 1001):
        optimizer.zero_grad()
        (theirs - target).pow(2).sum().backward()
        optimizer.step()
        _, ours = ask("adamw", options | {"t": t}, g=2 * (ours["p"] - target), **ours)
    yield 1e-4, gap(ours["p"], theirs.detach())
    yield 60.0, time.time() - start


def check_adamw_betas(ask):
    """The moments after 200 steps, relative to float64: 1 - beta has to keep its digits."""
    for betas in ((0.9, 0.999), (0.99, 0.999999), (0.9, 0.99999999), (0.0, 0.3)):
        theirs = torch.nn.Parameter(torch.randn(50).double())
        ours = {"p": theirs.detach().float(), "m": torch.zeros(50), "v": torch.zeros(50)}
        optimizer = torch.optim.AdamW([theirs], lr=1e-3, betas=betas, eps=1e-8, weight_decay=0.01)
        for t in range(1, 201):
            g = torch.randn(50)
            theirs.grad = g.double()
            optimizer.step()
            args = {"lr": 1e-3, "betas": betas, "eps": 1e-8, "wd": 0.01, "t": t}
            _, ours = ask("adamw", args, g=g, **ours)
        v = optimizer.state[theirs]["exp_avg_sq"]
        yield 5e-6, ((ours["v"].double() - v).abs() / v).max().item()


def check_lr(ask):
    for it in (0, 1, 6, 7, 8, 13, 20, 21, 22, 25, 10**9):
        expected = cosine_schedule(it, 1.0, 0.1, 7, 21)
        result, _ = ask("lr", {"it": it, "max": 1.0, "min": 0.1, "warm": 7, "cyc": 21})
        yield 1e-7, abs(result - expected) / max(expected, 1e-300)
    for it in range(0, 5000, 37):
        expected = cosine_schedule(it, 6e-4, 6e-5, 0, 4000)
        result, _ = ask("lr", {"it": it, "max": 6e-4, "min": 6e-5, "warm": 0, "cyc": 4000})
        yield 1e-7, abs(result - expected) / expected


def check_get_batch(ask):
    for dtype in (torch.int64, torch.int32, torch.uint8):
        data = torch.arange(100).to(dtype)
        counts = torch.zeros(93)
        for _ in range(100):
            _, batch = ask("get_batch", {"b": 32, "ctx": 7}, data=data)
            x, y = batch["x"], batch["y"]
            assert x.shape == y.shape == (32, 7) and x.dtype == y.dtype == torch.int64
            yield 0, gap(y, x + 1)
            yield 0, gap(x, x[:, :1] + torch.arange(7))
            counts += torch.bincount(x[:, 0], minlength=93)
        # 3200 draws over 93 starts: six standard deviations around their mean.
        yield 6.0, ((counts - counts.mean()).abs() / counts.mean().sqrt()).max().item()
    data = torch.tensor([-(2**62), -1, 2**40, 7])
    _, batch = ask("get_batch", {"b": 1, "ctx": 3}, data=data)
    yield 0, gap(batch["x"], data[None, :3])


def check_flash(ask):
    for leading, t, d in (((4,), 128, 64), ((), 1, 1), ((2, 3), 65, 40), ((2,), 33, 128), ((1,), 257, 7)):
        for is_causal in (False, True):
            q, k, v = (torch.randn(*leading, t, d).requires_grad_() for _ in range(3))
            scores = q @ k.transpose(-1, -2) / math.sqrt(d)
            if is_causal:
                scores = scores.masked_fill(~causal(t), -math.inf)
            o, l = scores.softmax(-1) @ v, scores.logsumexp(-1)
            do = torch.randn_like(o)
            o.backward(do)
            args = {"causal": is_causal}
            yield from near(ask("flash_fwd", args, q=q, k=k, v=v), o=o.detach(), l=l.detach())
            answer = ask("flash_bwd", args, q=q, k=k, v=v, o=o, l=l, do=do)
            yield from near(answer, dq=q.grad, dk=k.grad, dv=v.grad)


TEXT = """Lily had a red ball. "It's my ball," she said. She'll share, won't she?
Tom ran 12 miles in 2024!   Ünïcödé, 東京 and 🙂🙂 too.<|endoftext|>The the there then. low lower lowest\n\n\tend"""


def check_bpe(ask):
    special = ["<|endoftext|>", "<|endoftext|><|endoftext|>"]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(TEXT * 3)
        file.flush()
        result, _ = ask("train_bpe", {"path": file.name, "n": 320, "special": special})
    vocab, merges = train_bpe(TEXT * 3, 320, special)
    got = [tuple(map(base64.b64decode, pair)) for pair in result["merges"]]
    yield 0, sum(a != b for a, b in zip(merges, got)) + abs(len(merges) - len(got))
    yield 0, sum(a != b for a, b in zip(vocab, map(base64.b64decode, result["vocab"])))
    by_id = {str(i): token for i, token in enumerate(result["vocab"])}
    h, _ = ask("tok_new", {"vocab": by_id, "merges": result["merges"], "special": special})
    for text in (TEXT, "", "a", "x<|endoftext|><|endoftext|>y<|endoftext|>", "🙃 new wörds"):
        _, answer = ask("tok_encode", {"h": h, "text": text})
        yield 0, float(answer["ids"].tolist() != encode(text, vocab, merges, special))
        back, _ = ask("tok_decode", {"h": h}, ids=answer["ids"])
        yield 0, float(back != text)
    ids = torch.tensor([vocab.index(b"\xf0"), vocab.index(b"a")])
    yield 0, float(ask("tok_decode", {"h": h}, ids=ids)[0] != "\ufffda")


def check_ckpt(ask):
    tensors = {"a": torch.randn(3, 2), "b": torch.arange(5), "c": torch.tensor(True), "d": torch.empty(0, 4)}
    meta = {"iteration": 12, "nested": [1.2345678901234567, None, "ä"]}
    with tempfile.TemporaryDirectory() as folder:
        ask("ckpt_save", {"path": folder + "/x.safetensors", "meta": meta}, **tensors)
        result, loaded = ask("ckpt_load", {"path": folder + "/x.safetensors"})
    yield 0, float(result != meta)
    yield from near((None, loaded), 0, **tensors)


def check_errors(ask):
    x, w = torch.randn(2, 3), torch.randn(4, 3)
    bad = [
        ("nothing", {}, {}, "nothing"),
        ("linear", {}, {"x": x}, "w"),
        ("linear", {}, {"x": x, "w": x.long()}, "w"),
        ("linear", {}, {"x": x, "w": torch.randn(4, 5)}, "w"),
        ("linear", {}, {"x": torch.randn(0, 3), "w": w}, "x"),
        ("embedding", {}, {"w": w, "ids": torch.tensor([4])}, "ids"),
        ("embedding", {}, {"w": w, "ids": torch.tensor([-1])}, "ids"),
        ("softmax", {"dim": 2}, {"x": x}, "dim"),
        ("rope", {"theta": 0}, {"x": x, "pos": torch.arange(2)}, "theta"),
        ("rmsnorm", {}, {"x": x, "w": torch.randn(3)}, "eps"),
        ("mha", {"h": 2}, {"x": x, "wq": torch.randn(3, 3), "wk": w, "wv": w, "wo": w}, "wk"),
        ("get_batch", {"b": 1, "ctx": 3}, {"data": torch.arange(3)}, "data"),
        ("get_batch", {"b": 0, "ctx": 3}, {"data": torch.arange(9)}, "b"),
        ("get_batch", {"b": 2**40, "ctx": 3}, {"data": torch.arange(9)}, "batch"),
        ("ckpt_load", {"path": "/no/such/file"}, {}, "/no/such/file"),
        ("tok_encode", {"h": 99, "text": ""}, {}, "h"),
        ("train_bpe", {"path": "/no/such/file", "n": 300, "special": []}, {}, "/no/such/file"),
        ("lm", {"h": 3, "theta": 1e4, "layers": 1}, {"ids": torch.zeros(1, 2, dtype=torch.int64)}, "token_embeddings"),
    ]
    for op, args, tensors, name in bad:
        try:
            ask(op, args, **tensors)
            yield 0, 1.0
        except ValueError as error:
            yield 0, float(name not in str(error))


def main(checks):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--backend", default="gpu", choices=("gpu", "cpu"))
    parser.add_argument("--only", help="a comparison by name")
    options = parser.parse_args()
    torch.manual_seed(336)
    server = Server([options.binary, "ops", "--backend", options.backend])
    failed = False
    for name, check in list(checks.items()):
        if not name.startswith("check_") or options.only not in (None, name.removeprefix("check_")):
            continue
        start = time.time()
        try:
            largest = {}
            for bound, value in check(server.ask):
                # A NaN is larger than anything.
                value = math.inf if math.isnan(value) else value
                largest[bound] = max(largest.get(bound, 0.0), value)
            bad = any(value > bound for bound, value in largest.items())
            shown = "  ".join(f"{value:.1e} of {bound:g}" for bound, value in largest.items())
        except (AssertionError, ValueError, struct.error) as error:
            bad, shown = True, str(error)
        failed |= bad
        print(f"{name.removeprefix('check_'):14} {'BAD ' if bad else 'ok  '} {shown}  ({time.time() - start:.1f} s)", flush=True)
    code = server.close()
    print("exit status", code)
    sys.exit(failed or code != 0)


if __name__ == "__main__":
    main(globals())
