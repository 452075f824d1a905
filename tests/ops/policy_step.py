#!/usr/bin/env python3
"""Compares `policy_step` of `glasshead ops` with transformers' models in float64.

    python3 tests/ops/policy_step.py target/release/glasshead --backend cpu    compares many settings
    python3 tests/ops/policy_step.py --write                                   writes policy_step.safetensors for tests/ops/policy.rs

Needs torch, transformers and safetensors. The losses are written out from their formulas, per micro-batch as the course
does, and autograd differentiates them.
"""

import argparse
import json
import pathlib
import sys

import safetensors.torch
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from compare import Server  # noqa: E402

LLAMA = dict(architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=29, hidden_size=16, intermediate_size=24,
             num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32, rms_norm_eps=1e-5,
             rope_theta=10000.0, hidden_act="silu", attention_bias=False, mlp_bias=False, tie_word_embeddings=False)
GPT2 = dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", vocab_size=29, n_embd=16, n_inner=24, n_layer=2, n_head=4,
            n_positions=12, activation_function="gelu_new", layer_norm_epsilon=1e-5, attn_pdrop=0.0, embd_pdrop=0.0,
            resid_pdrop=0.0, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0)
N, T, G = 12, 9, 4
SGD = {"name": "sgd", "lr": 0.1}
# Some gradients are 0 in exact arithmetic (those of biases of keys, for one). A larger eps keeps AdamW from turning float32's
# rounding errors there into full steps.
ADAMW = {"name": "adamw", "lr": 1e-2, "betas": [0.9, 0.95], "eps": 1e-5, "weight_decay": 0.1}


def build(config, seed):
    torch.manual_seed(seed)
    family = transformers.LlamaForCausalLM if config["model_type"] == "llama" else transformers.GPT2LMHeadModel
    kind = transformers.LlamaConfig if config["model_type"] == "llama" else transformers.GPT2Config
    settings = {key: value for key, value in config.items() if key not in ("architectures", "model_type")}
    model = family(kind(**settings, attn_implementation="eager"))
    with torch.no_grad():
        for parameter in model.parameters():
            # Larger than the usual initial weights, so that everything has a gradient.
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model.eval()


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 29, (N, T + 1), generator=generator)
    lengths = torch.randint(4, T + 1, (N,), generator=generator)
    starts = torch.randint(0, 3, (N,), generator=generator)
    position = torch.arange(T)
    mask = (position >= starts[:, None]) & (position < lengths[:, None])
    rewards = torch.rand(N, generator=generator).round(decimals=1)
    rewards[:G] = 1.0  # a group without signal
    noise = 0.3 * torch.randn(N, T, generator=generator)
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), mask, rewards, noise


def log_probs(model, inputs, labels):
    logits = model(input_ids=inputs, use_cache=False).logits
    return logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]


def advantages(args, rewards):
    groups = rewards.double().view(-1, G)
    mean, std = groups.mean(1, keepdim=True), groups.std(1, keepdim=True)
    centered = groups - mean if args["baseline"] == "mean" else groups
    divisor = {"std": std + args["eps"], "mean": mean + args["eps"], "none": torch.ones_like(mean)}[args["normalizer"]]
    return (centered / divisor).view(-1, 1)


def token_losses(args, policy, old, advantage, mask):
    kind, c = args["weights"], args["cliprange"]
    if kind == "none":
        return -advantage * policy
    difference = policy - (policy.detach() if old is None else old)
    if kind == "gspo":
        difference = ((difference * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)).expand_as(policy)
    ratio = difference.exp()
    if kind == "noclip":
        return -ratio * advantage
    if kind == "cispo":
        return -ratio.clamp(1 - c, 1 + c).detach() * advantage * policy
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - c, 1 + c) * advantage)


def aggregate(args, losses, mask, whole):
    """The loss of a micro-batch as its part of that of the whole batch."""
    counted = losses * mask
    if args["normalization"] == "sequence":
        return (counted.sum(1) / mask.sum(1)).sum() / len(whole)
    return counted.sum() / (args["c"] if args["normalization"] == "constant" else whole.sum())


def step(model, args, data, old):
    """Loss before the step; the model is updated."""
    inputs, labels, mask, rewards, _ = data
    settings = args["optimizer"]
    parameters = list(model.parameters())
    if settings["name"] == "sgd":
        optimizer = torch.optim.SGD(parameters, lr=settings["lr"])
    else:
        decay = settings["weight_decay"]
        groups = [{"params": [p for p in parameters if p.dim() == 2], "weight_decay": decay},
                  {"params": [p for p in parameters if p.dim() != 2], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=settings["lr"], betas=settings["betas"], eps=settings["eps"])
    advantage, total = advantages(args, rewards), 0.0
    size = -(-N // args["microbatches"])
    for first in range(0, N, size):
        part = slice(first, first + size)
        policy = log_probs(model, inputs[part], labels[part])
        losses = token_losses(args, policy, None if old is None else old[part], advantage[part], mask[part])
        loss = aggregate(args, losses, mask[part], mask)
        loss.backward()
        total += loss.item()
    if args["max_grad_norm"] is not None:
        torch.nn.utils.clip_grad_norm_(parameters, args["max_grad_norm"])
    optimizer.step()
    return total


def cases():
    base = {"g": G, "baseline": "mean", "normalizer": "std", "eps": 1e-6, "weights": "none", "cliprange": 0.2,
            "normalization": "sequence", "c": 50.0, "microbatches": 1, "max_grad_norm": 1.0, "optimizer": ADAMW}
    for config in (LLAMA, GPT2):
        yield config, base, False
        yield config, {**base, "weights": "grpo", "microbatches": 3}, True
        yield config, {**base, "weights": "gspo", "cliprange": 0.05, "normalization": "token", "optimizer": SGD}, True
        yield config, {**base, "weights": "cispo", "normalizer": "mean", "normalization": "token", "microbatches": 5}, True
        yield config, {**base, "weights": "noclip", "baseline": "none", "normalizer": "none", "max_grad_norm": None}, True
        yield config, {**base, "normalizer": "none", "normalization": "constant", "microbatches": 12, "optimizer": SGD}, False


def solve(config, args, off_policy, seed):
    """The request's tensors, the loss, and the weights after the step."""
    model, data = build(config, seed), batch(seed)
    inputs, labels, mask, rewards, noise = data
    tensors = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
    if config["tie_word_embeddings"]:
        tensors.pop("lm_head.weight", None)
    model = model.double()
    tensors.update(input_ids=inputs, labels=labels, response_mask=mask, rewards=rewards.float())
    old = None
    if off_policy:
        tensors["old_log_probs"] = (log_probs(model, inputs, labels).detach() + noise).float()
        old = tensors["old_log_probs"].double()
    loss = step(model, args, data, old)
    return tensors, loss, {name: value for name, value in model.state_dict().items() if name in tensors}


def compare(options):
    server, worst = Server([options.binary, "ops", "--backend", options.backend]), 0.0
    for seed, (config, args, off_policy) in enumerate(cases()):
        tensors, loss, after = solve(config, args, off_policy, seed)
        _, out = server.ask("policy_step", {**args, "config": config}, **tensors)
        found = out.pop("loss").double().item()
        assert sorted(out) == sorted(after), sorted(set(out) ^ set(after))
        differences = {name: (out[name].double() - value).abs().max().item() for name, value in after.items()}
        moved = max((value - tensors[name].double()).abs().max().item() for name, value in after.items())
        name, largest = max(differences.items(), key=lambda item: item[1])
        print(f"{config['model_type']:5} {args['weights']:6} {args['normalization']:8} {args['microbatches']:2} micro-batches: "
              f"loss {found:+.6f}, off by {abs(found - loss):.1e}; weights moved by {moved:.1e}, off by {largest:.1e} ({name})")
        worst = max(worst, abs(found - loss) / max(1, abs(loss)), largest)
    server.close()
    print(f"largest difference {worst:.1e}")
    return worst < 1e-4


def write():
    out, requests = {}, []
    for seed, (config, args, off_policy) in enumerate(cases()):
        if args["weights"] not in ("grpo", "none"):
            continue
        tensors, loss, after = solve(config, args, off_policy, seed)
        out.update({f"{len(requests)}/{name}": value for name, value in tensors.items()})
        out.update({f"{len(requests)}/after/{name}": value.float().contiguous() for name, value in after.items()})
        requests.append({"args": {**args, "config": config}, "loss": loss})
    path = pathlib.Path(__file__).with_name("policy_step.safetensors")
    safetensors.torch.save_file(out, path, metadata={"requests": json.dumps(requests)})
    print(f"{path}: {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--backend", default="cpu", choices=["cpu", "gpu"])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.write:
        return write()
    sys.exit(0 if compare(options) else 1)


if __name__ == "__main__":
    main()
