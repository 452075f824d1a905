#!/usr/bin/env python3
"""Compares the alignment operations of `glasshead ops` with PyTorch and prints the largest difference of each.

    cargo build --release
    python3 tests/ops/compare_align.py target/release/glasshead --backend gpu

The expected values are computed in float64 from the formulas in docs/alignment.md, gradients by autograd. Exits with 1 when a
bound is exceeded.
"""

import itertools

import torch
import torch.nn.functional as F

from compare import gap, main, near

KINDS = ("none", "noclip", "grpo", "gspo", "cispo")


def masked_mean(x, mask, dim=None):
    total, count = (x * mask), mask.double()
    return total.sum() / count.sum() if dim is None else total.sum(dim) / count.sum(dim)


def batch(b=6, t=9):
    policy = -3 * torch.rand(b, t, dtype=torch.float64)
    old = policy + 0.3 * torch.randn(b, t, dtype=torch.float64)
    reference = policy + 0.3 * torch.randn(b, t, dtype=torch.float64)
    starts, lengths = torch.randint(0, 4, (b, 1)), torch.randint(1, 6, (b, 1))
    mask = (torch.arange(t) >= starts) & (torch.arange(t) < starts + lengths)
    # What both sides get is rounded to f32 first.
    return *(x.float().double() for x in (policy, old, reference)), mask


def token_losses(a, policy, old, mask, weights, c):
    a, d = a.reshape(-1, 1), policy - old
    if weights == "none":
        return -a * policy
    if weights == "cispo":
        return -d.exp().clamp(1 - c, 1 + c).detach() * a * policy
    if weights == "gspo":
        d = masked_mean(d, mask, 1)[:, None].expand_as(d)
    if weights == "noclip":
        return -d.exp() * a
    return -torch.minimum(d.exp() * a, d.exp().clamp(1 - c, 1 + c) * a)


def aggregated(losses, mask, normalization, z):
    if normalization == "sequence":
        return masked_mean(losses, mask, 1).mean()
    return (losses * mask).sum() / (z if normalization == "constant" else mask.sum())


def normalized(r, g, baseline, normalizer, eps):
    groups = r.reshape(-1, g)
    mean, std = groups.mean(1, keepdim=True), groups.std(1, keepdim=True)
    divisor = {"std": std + eps, "mean": mean + eps, "none": torch.ones_like(mean)}[normalizer]
    return ((groups - (mean if baseline == "mean" else 0)) / divisor).flatten()


def check_entropy(ask):
    for shape in ((4, 7, 30), (3, 1), (257,), (2, 1000)):
        x = 3 * torch.randn(shape)
        yield from near(ask("entropy", x=x), out=torch.distributions.Categorical(logits=x.double()).entropy())
    yield from near(ask("entropy", x=torch.tensor([[1e4, 1e4, -1e4], [0, -1e30, -1e30]])), out=torch.tensor([0.6931472, 0]))


def check_token_log_probs(ask):
    for b, t, v in ((2, 5, 33), (1, 1, 1), (3, 4, 300)):
        x, labels = 3 * torch.randn(b, t, v), torch.randint(v, (b, t))
        log_probs = F.log_softmax(x.double(), -1).gather(-1, labels[..., None])[..., 0]
        entropy = torch.distributions.Categorical(logits=x.double()).entropy()
        yield from near(ask("token_log_probs", x=x, labels=labels), log_probs=log_probs, token_entropy=entropy)


def check_masked(ask):
    x, m = torch.randn(2, 3, 10), torch.rand(2, 3, 10) < 0.7
    m[0], m[:, 0], m[..., 0] = True, True, True  # something counts in every slice
    for dim in (None, 0, 1, 2, -1):
        yield from near(ask("masked_mean", {"dim": dim}, x=x, m=m), out=masked_mean(x.double(), m, dim))
        total = (x.double() * m).sum() if dim is None else (x.double() * m).sum(dim)
        yield from near(ask("masked_normalize", {"dim": dim, "c": 42.0}, x=x, m=m), out=total / 42)
    empty = ask("masked_mean", {"dim": 1}, x=torch.ones(1, 2), m=torch.zeros(1, 2, dtype=torch.bool))[1]["out"]
    yield 0, float(not empty.isnan().all())


def check_advantages(ask):
    r = torch.rand(24).round(decimals=1)
    for g, eps in itertools.product((2, 4, 8), (1e-6, 1e-2)):
        for std in (False, True):
            expected = normalized(r.double(), g, "mean", "std" if std else "none", eps)
            yield from near(ask("group_norm", {"g": g, "eps": eps, "std": std}, r=r), 2e-5, out=expected)
        for baseline, normalizer in itertools.product(("mean", "none"), ("std", "mean", "none")):
            args = {"g": g, "eps": eps, "baseline": baseline, "normalizer": normalizer}
            expected = normalized(r.double(), g, baseline, normalizer, eps)
            out = ask("advantages", args, r=r)[1]["out"]
            yield 1e-5, ((out.double() - expected).abs() / (1 + expected.abs())).max().item()


def check_losses(ask):
    for weights, c in itertools.product(KINDS, (0.1, 0.5, 3e-4)):
        policy, old, _, mask = batch()
        a = torch.randn(6).double().float()
        expected = token_losses(a.double(), policy, old, mask, weights, c)
        tensors = {"policy_log_probs": policy.float(), "old_log_probs": old.float(), "mask": mask}
        for shaped in (a, a[:, None]):
            yield from near(ask("pg_loss26", {"weights": weights, "cliprange": c}, a=shaped, **tensors), out=expected)
        for normalization in ("sequence", "constant", "token"):
            args = {"normalization": normalization, "c": 77.0}
            answer = ask("aggregate", args, l=expected.float(), mask=mask)
            yield from near(answer, out=aggregated(expected, mask, normalization, 77.0))
    policy, old, _, mask = batch()
    a = torch.randn(6, 1)
    for loss_type, name, weights in (("no_baseline", "raw_rewards", "none"), ("reinforce_with_baseline", "advantages", "none"), ("grpo_clip", "advantages", "grpo")):
        leaf = policy.clone().requires_grad_()
        losses = token_losses(a.double(), leaf, old, mask, weights, 0.2)
        tensors = {"policy_log_probs": policy.float(), name: a, "old_log_probs": old.float()}
        args = {"loss_type": loss_type, "cliprange": 0.2}
        yield from near(ask("pg_loss", args, **tensors), out=losses.detach())
        loss = masked_mean(losses, mask, 1).mean() / 2
        loss.backward()
        answer = ask("grpo_step", args | {"ga": 2}, response_mask=mask, **tensors)
        yield from near(answer, loss=loss.detach(), grad=leaf.grad)


def check_sft_step(ask):
    for ga, c in ((1, 1.0), (4, 10.0)):
        policy, _, _, mask = batch()
        leaf = policy.clone().requires_grad_()
        loss = -(leaf * mask).sum(1).mean() / c / ga
        loss.backward()
        answer = ask("sft_step", {"ga": ga, "c": c}, policy_log_probs=policy.float(), response_mask=mask)
        yield from near(answer, loss=loss.detach(), grad=leaf.grad)


def check_coefficients(ask):
    for weights, normalization, kl in itertools.product(KINDS, ("sequence", "constant", "token"), (0.0, 0.05)):
        policy, old, reference, mask = batch()
        rewards = torch.tensor([1.0, 0, 1, 0.5, 0.5, 0])
        leaf = policy.clone().requires_grad_()
        a = normalized(rewards.double(), 3, "mean", "std", 1e-6)
        losses = token_losses(a, leaf, old, mask, weights, 0.2)
        losses = losses + kl * ((reference - leaf).exp() - (reference - leaf) - 1)
        aggregated(losses, mask, normalization, 54.0).backward()
        args = {"baseline": "mean", "normalizer": "std", "weights": weights, "normalization": normalization}
        args |= {"cliprange": 0.2, "g": 3, "c": 54.0, "kl": kl}
        tensors = {"policy_log_probs": policy, "old_log_probs": old, "ref_log_probs": reference}
        tensors = {name: tensor.float() for name, tensor in tensors.items()} | {"mask": mask, "rewards": rewards}
        yield from near(ask("token_coefficients", args, **tensors), out=-leaf.grad)


def check_dpo(ask):
    names = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected")
    tensors = {name: -50 * torch.rand(16) for name in names}
    w, l, ref_w, ref_l = (tensor.double() for tensor in tensors.values())
    for beta in (0.1, 0.5):
        expected = -F.logsigmoid(beta * ((w - ref_w) - (l - ref_l)))
        yield from near(ask("dpo_loss", {"beta": beta}, **tensors), out=expected)


def check_rows(ask):
    prompts, outputs = [[1, 2, 3], [4], [5, 6]], [[7], [8, 9, 10, 11], [12, 13]]
    width = max(len(p) + len(o) for p, o in zip(prompts, outputs))
    rows = torch.tensor([p + o + [99] * (width - len(p) - len(o)) for p, o in zip(prompts, outputs)])
    mask = torch.tensor([[len(p) <= i < len(p) + len(o) for i in range(width)] for p, o in zip(prompts, outputs)])
    answer = ask("tokenize_prompt_output", {"prompts": prompts, "outputs": outputs, "pad": 99})
    yield from near(answer, 0, input_ids=rows[:, :-1], labels=rows[:, 1:], response_mask=mask[:, 1:])


def check_newton_schulz(ask):
    for shape in ((16, 40), (40, 16), (33, 33)):
        x = torch.randn(shape)
        y = x.double() / x.double().norm()
        y = y.T if shape[0] > shape[1] else y
        for _ in range(5):
            gram = y @ y.T
            y = 3.4445 * y + (-4.775 * gram + 2.0315 * gram @ gram) @ y
        out = ask("newton_schulz", {"steps": 5}, x=x)[1]["out"]
        yield 1e-4, gap(out, y.T if shape[0] > shape[1] else y)


def check_answers(ask):
    options = ["100", "1", "10", "unknown"]
    for output, expected in (
        ("The correct answer is B. There is only one.", "B"),
        ("The correct answer is 10000 polyomaviruses.", None),
        ("(C)", "C"),
    ):
        yield 0, float(ask("parse_mmlu", {"options": options, "output": output})[0] != expected)
    for output, expected in (("48+24 = 72 clips in May.", "72"), ("seventy-two", None), ("$1,234.50", "1234.50")):
        yield 0, float(ask("parse_gsm8k", {"output": output})[0] != expected)


if __name__ == "__main__":
    main(globals())
