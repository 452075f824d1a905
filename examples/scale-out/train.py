"""Takes a model that Glasshead has exported on with PyTorch, on as many processes as `torchrun` starts.

    torchrun --nproc_per_node 2 examples/scale-out/train.py --model exported --data tokens.bin --steps 1000 --out further

`exported` is what `glasshead export --training-state` or the page's “export this model” with its training state has
written. Training goes on as Glasshead itself would: from the same step, with the same moments, learning rate and
batches, shared among the processes. `further` has the same files again, for `glasshead import`, the page or transformers.
Needs torch 1.13 or later, transformers and safetensors; `--fsdp` needs torch 2.3 or later. docs/scale-out.md tells more.
"""

import argparse
import contextlib
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

STATE = "training_state.safetensors"
WEIGHTS = "model.safetensors"
MASK = (1 << 64) - 1


class Rng:
    """PCG-XSH-RR 64/32 (O'Neill 2014), from the state in which Glasshead has left it."""

    def __init__(self, state, increment):
        self.state, self.increment = state, increment

    def next(self):
        old = self.state
        self.state = (old * 6364136223846793005 + self.increment) & MASK
        word, turn = (((old >> 18) ^ old) >> 27) & 0xFFFFFFFF, old >> 59
        return (word >> turn | word << (32 - turn)) & 0xFFFFFFFF

    def below(self, bound):
        """A uniform integer in 0..bound without bias (Lemire 2019)."""
        threshold = (1 << 32) % bound
        while True:
            product = self.next() * bound
            if product & 0xFFFFFFFF >= threshold:
                return product >> 32


def learning_rate(step, train):
    """Warm-up, then the schedule, as in src/config/schedule.rs."""
    top, bottom, warmup, end = (train[name] for name in ("max_lr", "min_lr", "warmup_steps", "schedule_steps"))
    if step < warmup:
        return top * step / warmup
    progress = (step - warmup) / (end - warmup) if step < end else 1.0
    return {
        "constant": top,
        "cosine": bottom + 0.5 * (1 + math.cos(math.pi * progress)) * (top - bottom),
        "linear": top - progress * (top - bottom),
    }[train["schedule"]]


def training_tokens(path, vocab_size, end_of_text):
    """The file's tokens without those that Glasshead holds out: the last tenth, from the end of a text where one is near."""
    tokens = np.memmap(path, dtype="<u2" if vocab_size <= 1 << 16 else "<u4", mode="r")
    target = len(tokens) // 10 * 9
    near = np.asarray(tokens[target : target + min(len(tokens) // 50, 1 << 20)])
    ends = np.flatnonzero(near == end_of_text) if end_of_text is not None else []
    return tokens[: target + int(ends[0]) + 1 if len(ends) else target]


def read_state(folder):
    """The moments by the names of the weights, and what the header says."""
    moments = {"adam_m": {}, "adam_v": {}}
    with safe_open(folder / STATE, "pt") as file:
        header = {name: json.loads(text) for name, text in file.metadata().items() if name != "format"}
        for key in file.keys():
            kind, name = key.split(".", 1)
            moments[kind][name] = file.get_tensor(key)
    return moments, header


class Replicated:
    """The whole model in every process; DistributedDataParallel averages the gradients."""

    def __init__(self, model, device):
        self.plain = model
        # Masks are the same everywhere, and gloo sends no booleans.
        buffers = [name for name, _ in model.named_buffers()]
        torch.nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, buffers)
        self.model = torch.nn.parallel.DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)

    def named(self):
        return list(self.plain.named_parameters())

    def accumulating(self):
        return self.model.no_sync()

    def clip(self, most):
        return torch.nn.utils.clip_grad_norm_(self.plain.parameters(), most)

    def load(self, optimizer, moments, step):
        for name, param in self.named():
            optimizer.state[param] = {
                "step": torch.tensor(float(step)),
                "exp_avg": moments["adam_m"][name].to(param.device),
                "exp_avg_sq": moments["adam_v"][name].to(param.device),
            }

    def gathered(self, optimizer):
        weights = {name: param.detach() for name, param in self.named()}
        moments = {}
        for name, param in self.named():
            moments[f"adam_m.{name}"] = optimizer.state[param]["exp_avg"]
            moments[f"adam_v.{name}"] = optimizer.state[param]["exp_avg_sq"]
        return weights, moments


class Sharded:
    """A part of every weight and moment in every process (FSDP), for what does not fit one device."""

    def __init__(self, model, device):
        from torch.distributed.checkpoint import state_dict
        from torch.distributed.fsdp import FullyShardedDataParallel
        from torch.distributed.fsdp.wrap import ModuleWrapPolicy

        self.api = state_dict
        # On a CPU there is nothing to offload, and PyTorch (2.15) gathers both moments into one tensor when told to.
        offload = torch.device(device).type != "cpu"
        self.whole = state_dict.StateDictOptions(full_state_dict=True, cpu_offload=offload)
        blocks = getattr(model, "model", None) or model.transformer
        block = type((blocks.layers if hasattr(blocks, "layers") else blocks.h)[0])
        policy = ModuleWrapPolicy({block})
        self.model = FullyShardedDataParallel(model, auto_wrap_policy=policy, device_id=device, use_orig_params=True)

    def named(self):
        return [(name.replace("_fsdp_wrapped_module.", ""), param) for name, param in self.model.named_parameters()]

    def accumulating(self):
        return self.model.no_sync()

    def clip(self, most):
        return self.model.clip_grad_norm_(most)

    def load(self, optimizer, moments, step):
        names = [name for name, _ in self.named()]
        state = {
            name: {
                "step": torch.tensor(float(step)),
                "exp_avg": moments["adam_m"][name],
                "exp_avg_sq": moments["adam_v"][name],
            }
            for name in names
        }
        by_param = {param: name for name, param in self.named()}
        groups = [
            {**{key: value for key, value in group.items() if key != "params"}, "params": [by_param[p] for p in group["params"]]}
            for group in optimizer.param_groups
        ]
        whole = {"state": state, "param_groups": groups}
        self.api.set_optimizer_state_dict(self.model, optimizer, whole, options=self.whole)

    def gathered(self, optimizer):
        weights = self.api.get_model_state_dict(self.model, options=self.whole)
        # All but the first process get nothing.
        state = self.api.get_optimizer_state_dict(self.model, optimizer, options=self.whole).get("state", {})
        moments = {}
        for name, entry in state.items():
            moments[f"adam_m.{name}"], moments[f"adam_v.{name}"] = entry["exp_avg"], entry["exp_avg_sq"]
        return {name: weights[name] for name in state}, moments


def save(folder, source, weights, moments, header):
    """The same files as were read, with what was learned."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.suffix == ".json" and file.resolve() != (folder / file.name).resolve():
            shutil.copy(file, folder / file.name)
    metadata = {"format": "pt", **{name: json.dumps(value) for name, value in header.items()}}
    # What FSDP has gathered are parts of larger tensors, which safetensors takes for shared weights.
    on_host = lambda tensors: {name: tensor.to("cpu", torch.float32, copy=True).contiguous() for name, tensor in tensors.items()}
    save_file(on_host(weights), folder / WEIGHTS, {"format": "pt"})
    save_file(on_host(moments), folder / STATE, metadata)


def timeline(path, rank, on_gpu):
    """A profiler that writes the third step to a file of its own for every process: two steps warm up."""
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * on_gpu
    target = path.with_name(f"{path.stem}-{rank}{path.suffix or '.json'}")
    return torch.profiler.profile(
        activities=activities,
        schedule=torch.profiler.schedule(wait=1, warmup=1, active=1, repeat=1),
        on_trace_ready=lambda profiler: profiler.export_chrome_trace(str(target)),
    )


def main():
    parser = argparse.ArgumentParser(description="Takes an exported model on, on several processes.")
    parser.add_argument("--model", type=Path, required=True, help="the exported folder")
    parser.add_argument("--data", type=Path, required=True, help="token ids, as `glasshead tokenizer encode` writes them")
    parser.add_argument("--steps", type=int, required=True, help="how many steps more")
    parser.add_argument("--out", type=Path, required=True, help="the folder for what comes of it")
    parser.add_argument("--train-tokens", type=int, help="so many of them; without, all but the last tenth")
    parser.add_argument("--batch-size", type=int, help="sequences of a step from here on; without, as many as before")
    parser.add_argument("--micro-batch", type=int, default=0, help="sequences of a process at once; without, all")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16")
    parser.add_argument("--fsdp", action="store_true", help="share out weights and moments")
    parser.add_argument("--trace", type=Path, help="write the timeline of a step as Chrome trace JSON, one file per process")
    args = parser.parse_args()

    on_gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo")
    rank, n_ranks = dist.get_rank(), dist.get_world_size()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)

    moments, header = read_state(args.model)
    train, rng, step = header["train"], Rng(**header["batches"]), header["step"]
    assert train["optimizer"] == "adamw", "only AdamW goes on here; the model was trained with " + train["optimizer"]
    if args.batch_size:
        train["batch_size"], train["accumulation_steps"] = args.batch_size, 1
    n_sequences = train["batch_size"] * train["accumulation_steps"]
    assert n_sequences % n_ranks == 0, f"{n_ranks} processes cannot share {n_sequences} sequences evenly; try --batch-size"
    n_own = n_sequences // n_ranks
    micro = args.micro_batch or n_own
    assert n_own % micro == 0, f"--micro-batch {micro} does not divide the {n_own} sequences of a process"

    config = AutoConfig.from_pretrained(args.model)
    context = config.max_position_embeddings  # GPT-2's n_positions has this name too
    tokens = training_tokens(args.data, config.vocab_size, config.eos_token_id)[: args.train_tokens]
    assert len(tokens) > context, f"{len(tokens)} tokens are too few for windows of {context}"
    model = AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32).to(device).train()
    shared = (Sharded if args.fsdp else Replicated)(model, device)
    decaying = [param for name, param in shared.named() if moments["adam_m"][name].dim() > 1]
    others = [param for name, param in shared.named() if moments["adam_m"][name].dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": train["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
        lr=train["max_lr"], betas=(train["beta1"], train["beta2"]), eps=train["adam_eps"],
    )
    shared.load(optimizer, moments, step)
    del moments

    profiler = timeline(args.trace, rank, on_gpu) if args.trace else None
    if profiler:
        profiler.start()
    for step in range(step + 1, step + args.steps + 1):
        starts = [rng.below(len(tokens) - context) for _ in range(n_sequences)]
        own = np.stack([tokens[start : start + context + 1] for start in starts[rank * n_own : (rank + 1) * n_own]])
        own = torch.from_numpy(own.astype(np.int64)).to(device)
        lr = learning_rate(step, train)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=device)
        parts = own.split(micro)
        for index, part in enumerate(parts):
            last = index + 1 == len(parts)
            with contextlib.nullcontext() if last else shared.accumulating():
                with torch.autocast(device.type, torch.bfloat16, enabled=args.bf16):
                    logits = shared.model(part[:, :-1]).logits
                part_loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten())
                (part_loss / len(parts)).backward()
                loss += part_loss.detach() / len(parts)
        norm = shared.clip(train["max_grad_norm"])
        optimizer.step()
        dist.all_reduce(loss)
        if rank == 0:
            print(json.dumps({"step": step, "loss": loss.item() / n_ranks, "lr": lr, "grad_norm": float(norm)}), flush=True)
        if profiler:
            profiler.step()
    if profiler:
        profiler.stop()

    weights, moments = shared.gathered(optimizer)
    if rank == 0:
        header.update(step=step, batches={"state": rng.state, "increment": rng.increment}, train=train)
        save(args.out, args.model, weights, moments, header)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
