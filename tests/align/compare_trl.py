#!/usr/bin/env python3
"""Compares the coefficients of `glasshead ops` with the losses of TRL's GRPOTrainer and DPOTrainer on the same numbers.

    pip install trl
    cargo build --release
    python3 tests/align/compare_trl.py target/release/glasshead --backend cpu

TRL's own `_compute_loss` runs on log-probabilities that are given instead of computed by a model; its gradient with respect to
them is minus Glasshead's coefficient. Exits with 1 when they differ by more than 1e-6 in relation to the largest gradient.
"""

import collections
import pathlib
import sys
import types

import torch
from trl import DPOTrainer, GRPOTrainer

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "ops"))
from compare import main  # noqa: E402

ROWS, T, G, L_MAX = 8, 9, 4, 12


class Accelerator:
    """One process."""

    num_processes, device, sync_gradients = 1, torch.device("cpu"), True

    def gather(self, x):
        return x

    gather_for_metrics = gather

    def reduce(self, x, reduction="sum"):
        return x


def trainer(log_probs, **settings):
    """What `_compute_loss` reads of a trainer."""
    args = types.SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1)
    return types.SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (log_probs, torch.zeros_like(log_probs), None),
        accelerator=Accelerator(),
        args=args,
        model=types.SimpleNamespace(training=True),
        _metrics={"train": collections.defaultdict(list)},
        current_gradient_accumulation_steps=1,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        use_vllm=False,
        aux_loss_enabled=False,
        _entropy_bonus_enabled=False,
        max_completion_length=L_MAX,
        **settings,
    )


def responses():
    policy = (-3 * torch.rand(ROWS, T)).double()
    # Both sides read numbers that are rounded to f32.
    old, reference = ((policy + 0.3 * torch.randn(ROWS, T)).float().double() for _ in range(2))
    mask = torch.arange(T) < torch.randint(1, T + 1, (ROWS, 1))
    rewards = torch.tensor([1.0, 0, 0, 1, 0.5, 0, 1, 1])
    return policy, old, reference, mask, rewards


def group_advantages(rewards, scaled):
    """As in GRPOTrainer._generate_and_score_completions, with the epsilon of CS336 in place of 1e-4."""
    groups = rewards.double().reshape(-1, G)
    difference = groups - groups.mean(1, keepdim=True)
    return (difference / (groups.std(1, keepdim=True) + 1e-6) if scaled else difference).flatten()


# TRL's loss_type, importance_sampling_level and beta, with Glasshead's settings.
CASES = [
    ("grpo", "token", 0.0, {"method": "grpo"}),
    ("grpo", "token", 0.04, {"method": "grpo", "kl": 0.04}),
    ("bnpo", "token", 0.0, {"method": "grpo", "normalization": "token"}),
    ("dapo", "token", 0.0, {"method": "grpo", "normalization": "token"}),
    ("dr_grpo", "token", 0.0, {"method": "dr_grpo", "c": ROWS * L_MAX}),
    ("dr_grpo", "token", 0.1, {"method": "dr_grpo", "c": ROWS * L_MAX, "kl": 0.1}),
    ("grpo", "sequence", 0.0, {"method": "gspo", "cliprange": 0.2}),
    ("grpo", "sequence", 0.0, {"method": "gspo", "cliprange": 3e-4}),
    ("cispo", "token", 0.0, {"method": "cispo"}),
]


def check_grpo(ask):
    for loss_type, level, beta, settings in CASES:
        policy, old, reference, mask, rewards = responses()
        clip = settings.get("cliprange", 0.2)
        if loss_type == "cispo":
            # TRL has no lower bound of the ratio.
            old = torch.minimum(old, policy - torch.tensor(1 - clip).log().double().item())
            old = old.float().double()
        leaf = policy.clone().requires_grad_()
        this = trainer(
            leaf,
            importance_sampling_level=level,
            beta=beta,
            loss_type=loss_type,
            epsilon_low=clip,
            # CISPO's bound is the ratio itself.
            epsilon_high=1 + clip if loss_type == "cispo" else clip,
        )
        ids = torch.zeros(ROWS, T, dtype=torch.int64)
        inputs = {
            "prompt_ids": ids[:, :1],
            "prompt_mask": ids[:, :1] + 1,
            "completion_ids": ids,
            "completion_mask": mask.double(),
            "advantages": group_advantages(rewards, settings["method"] != "dr_grpo"),
            "old_per_token_logps": old,
            "ref_per_token_logps": reference,
            "num_items_in_batch": mask.sum(),
        }
        loss = GRPOTrainer._compute_loss(this, None, inputs)
        loss.backward()
        tensors = {"policy_log_probs": policy.float(), "old_log_probs": old.float(), "ref_log_probs": reference.float()}
        result, ours = ask("token_coefficients", {"g": G, **settings}, rewards=rewards, mask=mask, **tensors)
        largest = leaf.grad.abs().max().item()
        assert largest > 1e-3 and (leaf.grad != 0).any(1).sum() > ROWS // 2
        yield 1e-6, (ours["out"] + leaf.grad).abs().max().item() / largest
        yield 1e-6, abs(result["loss"] - loss.item())


def check_dpo(ask):
    n = 6
    for beta in (0.1, 0.5):
        policy, reference = ((-3 * torch.rand(2 * n, T)).double() for _ in range(2))
        lengths = torch.randint(1, T + 1, (2 * n, 1))
        mask = torch.arange(T) < lengths
        policy, reference = ((tokens * mask).requires_grad_() for tokens in (policy, reference))
        this = types.SimpleNamespace(
            model=types.SimpleNamespace(training=True),
            accelerator=Accelerator(),
            args=types.SimpleNamespace(gradient_checkpointing_kwargs=None, gradient_checkpointing=False),
            aux_loss_enabled=False,
            ld_alpha=None,
            precompute_ref_logps=True,
            f_divergence_type="reverse_kl",
            loss_types=["sigmoid"],
            loss_weights=[1.0],
            beta=beta,
            use_weighting=False,
            label_smoothing=0.0,
            _metrics={"train": collections.defaultdict(list)},
        )
        ref_sums = reference.detach().sum(1)
        inputs = {
            "input_ids": torch.zeros(2 * n, T + 1, dtype=torch.int64),
            "completion_mask": torch.cat([torch.zeros(2 * n, 1, dtype=torch.int64), mask.long()], 1),
            "ref_chosen_logps": ref_sums[:n],
            "ref_rejected_logps": ref_sums[n:],
        }
        loss = dpo_loss(this, policy, inputs)
        loss.backward()
        sums = policy.detach().sum(1)
        names = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected")
        pairs = dict(zip(names, (sums[:n], sums[n:], ref_sums[:n], ref_sums[n:])))
        _, ours = ask("dpo_loss", {"beta": beta}, **{name: tensor.float() for name, tensor in pairs.items()})
        yield 1e-6, abs(ours["out"].double().mean().item() - loss.item())
        margin = (pairs["policy_chosen"] - pairs["ref_chosen"]) - (pairs["policy_rejected"] - pairs["ref_rejected"])
        coefficient = beta * torch.sigmoid(-beta * margin) / n  # docs/alignment.md
        signed = torch.cat([coefficient, -coefficient])[:, None] * mask
        yield 1e-6, (signed + policy.grad * mask).abs().max().item()


class Found(Exception):
    """Carries the loss out of DPOTrainer._compute_loss, whose metrics need a model."""


class Outputs:
    """Log-probabilities, as if a model had computed them. The loss is finished when the entropy is read."""

    def __init__(self, log_probs):
        self.log_probs = log_probs

    @property
    def entropy(self):
        raise Found(sys._getframe(1).f_locals["loss"])


def dpo_loss(this, log_probs, inputs):
    try:
        return DPOTrainer._compute_loss(this, lambda **_: Outputs(log_probs), inputs, False)
    except Found as found:
        return found.args[0]


if __name__ == "__main__":
    main(globals())
