"""Writes what PyTorch computes for rows of prompts and responses, for tests/objective.rs and tests/alignment.rs to compare with:

    align.safetensors      one weighted step, ten steps of GRPO and ten of DPO, all from the same weights and rows

    python3 tests/golden/align.py

Made with PyTorch 2.15.0. As in generate.py, weights are rounded to float32 and everything after that is float64. The losses
are written out as in their papers, and autograd differentiates them; nothing here knows of coefficients.
"""

import torch
from generate import TINY, forward, weights, write

N_ROWS, GROUP, PAD = 8, 4, 0
LR, BETAS, EPS, MAX_NORM, STEPS = 5e-4, (0.9, 0.95), 1e-8, 1.0, 10
CLIP, KL, BETA = 0.2, 0.05, 0.1


def make_rows(generator):
    """Rows of different lengths, padded to T + 1 tokens, and the number of tokens of each prompt."""
    lengths = torch.randint(6, TINY.context + 2, (N_ROWS,), generator=generator)
    lengths[0], lengths[1] = TINY.context + 1, 6
    prompts = torch.randint(1, 5, (N_ROWS,), generator=generator)
    ids = torch.randint(0, TINY.vocab, (N_ROWS, TINY.context + 1), generator=generator)
    return ids.masked_fill(torch.arange(TINY.context + 1) >= lengths[:, None], PAD), lengths, prompts


def scores(w, ids):
    """Log-probability of every token after the first, and the entropy of its distribution."""
    log_probs = forward(TINY, w, ids[:, :-1])[0].log_softmax(-1)
    entropies = -(log_probs.exp() * log_probs).sum(-1)
    return log_probs.gather(-1, ids[:, 1:, None])[..., 0], entropies


def copy_of(w):
    return {name: value.detach().clone().requires_grad_() for name, value in w.items()}


def train(w, loss_of):
    optimizer = torch.optim.AdamW(w.values(), lr=LR, betas=BETAS, eps=EPS, weight_decay=0)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(w)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(w.values(), MAX_NORM).item())
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses), torch.tensor(norms)


def main():
    generator = torch.Generator().manual_seed(5)
    w = weights(TINY, generator)
    ids, lengths, prompts = make_rows(generator)
    position = torch.arange(TINY.context)
    valid = position < lengths[:, None] - 1
    mask = valid & (position >= prompts[:, None] - 1)
    out = {"ids": ids, "lengths": lengths, "prompts": prompts}
    out.update({f"weights.{name}": value.detach().clone() for name, value in w.items()})

    coefficients = torch.randn(valid.shape, generator=generator).float().double() * mask
    log_probs, entropies = scores(w, ids)
    loss = -(coefficients * log_probs).sum()
    loss.backward()
    out.update(coefficients=coefficients, log_probs=log_probs, entropies=entropies, loss=loss)
    out.update({f"grad.{name}": value.grad.clone() for name, value in w.items()})

    rewards = torch.tensor([1.0, 0, 0, 1, 0.5, 0, 0, 0], dtype=torch.float64)
    groups = rewards.view(-1, GROUP)
    advantages = ((groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-6)).view(-1, 1)
    # As if another policy had sampled the rows, so that ratios differ from 1 at once and some are clipped.
    old = (scores(w, ids)[0].detach() + 0.2 * torch.randn(valid.shape, generator=generator)).float().double()
    reference = scores(w, ids)[0].detach()
    clipped = []

    def grpo(w):
        policy = scores(w, ids)[0]
        ratio = (policy - old).exp()
        unclipped, bounded = ratio * advantages, ratio.clamp(1 - CLIP, 1 + CLIP) * advantages
        clipped.append(((bounded < unclipped) & mask).sum().item() / mask.sum().item())
        penalty = (reference - policy).exp() - (reference - policy) - 1
        per_token = -torch.minimum(unclipped, bounded) + KL * penalty
        return ((per_token * mask).sum(1) / mask.sum(1)).mean()

    policy = copy_of(w)
    out["grpo.losses"], out["grpo.grad_norms"] = train(policy, grpo)
    out.update({"rewards": rewards, "old_log_probs": old})
    out.update({f"grpo.final.{name}": value for name, value in policy.items()})
    print(f"GRPO: losses {out['grpo.losses'].tolist()}, clipped {clipped}")

    half = N_ROWS // 2

    def dpo(nll):
        def loss_of(w):
            policy = scores(w, ids)[0]
            rows = ((policy - reference) * mask).sum(1)
            preference = -torch.nn.functional.logsigmoid(BETA * (rows[:half] - rows[half:])).mean()
            chosen = -(policy * mask)[:half].sum() / mask[:half].sum()
            return preference + nll * chosen
        return loss_of

    for name, nll in (("dpo", 0.0), ("dpo_nll", 1.0)):
        policy = copy_of(w)
        out[f"{name}.losses"], out[f"{name}.grad_norms"] = train(policy, dpo(nll))
        out.update({f"{name}.final.{key}": value for key, value in policy.items()})
        print(f"{name}: losses {out[f'{name}.losses'].tolist()}")
    write("align.safetensors", out)


if __name__ == "__main__":
    main()
