#!/usr/bin/env python3
"""Writes golden.json: advantages, losses and gradients of alignment, computed by PyTorch in float64 with autograd.

Run it with a Python that has PyTorch: python3 tests/align/generate.py
"""

import itertools
import json
import pathlib

import torch
import torch.nn.functional as F

G, ROWS, T, V = 4, 12, 7, 5
EPS, C = 1e-6, 0.2


def advantages(rewards, baseline, normalizer):
    groups = rewards.reshape(-1, G)
    mean, std = groups.mean(1, keepdim=True), groups.std(1, keepdim=True)
    out = groups - (mean if baseline == "mean" else 0.0)
    divisor = {"std": std + EPS, "mean": mean + EPS, "none": torch.ones_like(mean)}[normalizer]
    return (out / divisor).flatten()


def token_losses(a, log_probs, old, mask, weights, c):
    a = a[:, None]
    d = log_probs - old
    if weights == "none":
        return -a * log_probs
    if weights == "cispo":
        return -d.exp().clamp(1 - c, 1 + c).detach() * a * log_probs
    if weights == "gspo":
        d = ((d * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)).expand_as(d)
    ratio = d.exp()
    if weights == "noclip":
        return -ratio * a
    return -torch.minimum(ratio * a, ratio.clamp(1 - c, 1 + c) * a)


def aggregated(losses, mask, normalization, z):
    if normalization == "sequence":
        return ((losses * mask).sum(1) / mask.sum(1)).mean()
    total = (losses * mask).sum()
    return total / z if normalization == "constant" else total / mask.sum()


def flat(tensor):
    return tensor.detach().flatten().tolist()


def log_probs_of(logits, labels):
    return F.log_softmax(logits, -1).gather(-1, labels[..., None]).squeeze(-1)


def policy_cases(data):
    cases = []
    kinds = ("none", "noclip", "grpo", "gspo", "cispo")
    for weights, normalization, kl in itertools.product(kinds, ("sequence", "constant", "token"), (0.0, 0.1)):
        logits = data["logits"].clone().requires_grad_()
        log_probs = log_probs_of(logits, data["labels"])
        log_probs.retain_grad()
        mask = data["mask"].double()
        losses = token_losses(data["advantages"], log_probs, data["old"], mask, weights, C)
        if kl:
            difference = data["reference"] - log_probs
            losses = losses + kl * (difference.exp() - difference - 1)
        loss = aggregated(losses, mask, normalization, 50.0)
        loss.backward()
        cases.append({
            "weights": weights,
            "normalization": normalization,
            "kl": kl,
            "token_losses": flat(losses),
            "loss": loss.item(),
            "grad_log_probs": flat(log_probs.grad),
            # One normalization is enough for the chain from log-probabilities to logits.
            "grad_logits": flat(logits.grad) if normalization == "token" else [],
        })
    return cases


def dpo_case(nll):
    n = 5
    tensors = [(-8 * torch.rand(n, T, dtype=torch.float64)).requires_grad_() for _ in range(2)]
    masks = [torch.arange(T) < torch.randint(1, T + 1, (n, 1)) for _ in range(2)]
    reference = [-8 * torch.rand(n, T, dtype=torch.float64) for _ in range(2)]
    sums = [(tokens * mask).sum(1) for tokens, mask in zip(tensors, masks)]
    ref_sums = [(tokens * mask).sum(1) for tokens, mask in zip(reference, masks)]
    margin = (sums[0] - ref_sums[0]) - (sums[1] - ref_sums[1])
    losses = -F.logsigmoid(0.1 * margin)
    loss = losses.mean() - nll * sums[0].sum() / masks[0].sum()
    loss.backward()
    return {
        "nll": nll,
        "beta": 0.1,
        "chosen_mask": masks[0].flatten().tolist(),
        "rejected_mask": masks[1].flatten().tolist(),
        "pairs": [flat(x) for x in (*sums, *ref_sums)],
        "losses": flat(losses),
        "loss": loss.item(),
        "accuracy": (margin > 0).double().mean().item(),
        "grad_chosen": flat(tensors[0].grad),
        "grad_rejected": flat(tensors[1].grad),
    }


def main():
    torch.manual_seed(336)
    rewards = torch.tensor([1, 0, 0, 1, 0.1, 0.1, 0.1, 0.1, 0.25, 0.5, 0, 1], dtype=torch.float64)
    logits = 2 * torch.randn(ROWS, T, V, dtype=torch.float64)
    labels = torch.randint(V, (ROWS, T))
    starts, lengths = torch.randint(0, 3, (ROWS, 1)), torch.randint(1, 5, (ROWS, 1))
    at = torch.arange(T)
    mask = (at >= starts) & (at < starts + lengths)
    log_probs = log_probs_of(logits, labels)
    # Large and small differences, so that some ratios are clipped and others are not.
    data = {
        "logits": logits,
        "labels": labels,
        "mask": mask,
        "old": log_probs + 0.25 * torch.randn(ROWS, T, dtype=torch.float64),
        "reference": log_probs + 0.3 * torch.randn(ROWS, T, dtype=torch.float64),
        "advantages": advantages(rewards, "mean", "std") + torch.tensor([0.0] * 4 + [0.5] * 4 + [0.0] * 4),
    }
    golden = {
        "rewards": flat(rewards),
        "shape": [ROWS, T, V],
        **{name: flat(tensor) for name, tensor in data.items()},
        "entropies": flat(torch.distributions.Categorical(logits=logits).entropy()),
        "all_advantages": [
            {"baseline": baseline, "normalizer": normalizer, "out": flat(advantages(rewards, baseline, normalizer))}
            for baseline in ("mean", "none")
            for normalizer in ("std", "mean", "none")
        ],
        "policy": policy_cases(data),
        "dpo": [dpo_case(0.0), dpo_case(1.0)],
    }
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
