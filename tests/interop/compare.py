"""Holds `glasshead import` and `glasshead export` against Hugging Face's transformers, both ways.

    apt-get install python3-torch
    python3 -m venv --system-site-packages venv && venv/bin/pip install transformers==4.46.3
    venv/bin/python tests/interop/compare.py target/release/glasshead

Tiny random Llama and GPT-2 checkpoints are imported, asked, exported again and asked again: token ids and greedily
written text have to be the same, logits to agree to 1e-4. Then models trained here are exported and asked.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

BINARY = sys.argv[1]
BACKENDS = sys.argv[2:] or ["cpu"]
TEXT = "Once upon a time, a fox ran over the hill. Sand, sea and 3 ships: it's 12:45!"
TOLERANCE = 1e-4
END = "<|endoftext|>"


def glasshead(*args, fails=False):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True)
    assert (done.returncode != 0) == fails, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr if fails else done.stdout


def theirs(folder):
    """Ids, logits in f32 and greedy text of a folder, by transformers."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    ids = tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(ids).logits[0]
        written = tokenizer("Once upon", return_tensors="pt").input_ids
        # By hand, because `generate` needs parts of PyTorch that Debian's does not load.
        for _ in range(12):
            best = model(written).logits[0, -1].argmax()
            if best == tokenizer.eos_token_id:
                break
            written = torch.cat([written, best.view(1, 1)], dim=1)
    return ids[0].tolist(), logits, tokenizer.decode(written[0])


def ours(model, backend, work):
    """The same by Glasshead, from a model's folder."""
    out = work / "logits.safetensors"
    glasshead("logits", "--model", model, "--text", TEXT, "--out", out, "--backend", backend)
    answer = load_file(out)
    options = ["--prompt", "Once upon", "--temperature", 0, "--max-tokens", 12, "--backend", backend]
    return answer["ids"].tolist(), answer["logits"], glasshead("generate", "--model", model, *options).removesuffix("\n")


def compare(name, one, other):
    difference = (one[1] - other[1]).abs().max().item()
    scale = one[1].abs().max().item()
    print(f"{name:58} logits within {difference:.1e} (largest {scale:.1f})", flush=True)
    assert one[0] == other[0], f"{name}: ids {one[0]} {other[0]}"
    assert difference <= TOLERANCE, name
    # What is left of a character that is not whole yet is shown differently.
    assert one[2].rstrip("\ufffd") == other[2].rstrip("\ufffd"), f"{name}: {one[2]!r} {other[2]!r}"


def there_and_back(name, source, work):
    model, again = work / f"{name}-model", work / f"{name}-again"
    glasshead("import", source, "--out", model)
    glasshead("export", "--model", model, "--format", "hf", again)
    expected = theirs(source)
    for backend in BACKENDS:
        compare(f"{name}, imported ({backend})", expected, ours(model, backend, work))
    compare(f"{name}, exported again", expected, theirs(again))


def with_tokenizer(folder, tokenizer):
    names = ["input_ids", "attention_mask"]
    fast = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer), eos_token=END, bos_token=END, model_input_names=names)
    fast.save_pretrained(folder)


def llamas(work, tokenizer, vocab_size):
    for tied, kv_heads, dtype in itertools.product([False, True], [4, 2], ["float32", "bfloat16", "float16"]):
        torch.manual_seed(1)
        config = LlamaConfig(
            vocab_size=vocab_size, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=kv_heads, max_position_embeddings=96, initializer_range=0.2,
            # So large a one would be missed.
            rms_norm_eps=1e-2 if kv_heads == 2 else 1e-6,
            tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0, attention_bias=tied, mlp_bias=tied,
        )
        model = LlamaForCausalLM(config)
        for name, weight in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                torch.nn.init.normal_(weight, 1.0 if "norm" in name else 0.0, 0.2)
        name = f"llama-{'tied' if tied else 'untied'}-kv{kv_heads}-{dtype}"
        sharded = {"max_shard_size": "20KB"} if dtype == "bfloat16" else {}
        model.to(getattr(torch, dtype)).save_pretrained(work / name, safe_serialization=True, **sharded)
        assert (work / name / "model.safetensors.index.json").exists() == bool(sharded)
        with_tokenizer(work / name, tokenizer)
        there_and_back(name, work / name, work)


# As the families' own files have them.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")


def split(pattern):
    step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [step, level]}


def relatives(work, tokenizer, vocab_size):
    """Mistral's and Qwen 2's models, with Llama 3's and Qwen 2's way of cutting texts."""
    sizes = dict(
        vocab_size=vocab_size, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=96, initializer_range=0.2, bos_token_id=0, eos_token_id=0,
    )
    for name, model, pre_tokenizer, normalizer in [
        ("mistral", MistralForCausalLM(MistralConfig(**sizes, sliding_window=None)), split(LLAMA3), None),
        ("qwen2", Qwen2ForCausalLM(Qwen2Config(**sizes, rope_theta=1e6)), split(QWEN2), {"type": "NFC"}),
    ]:
        torch.manual_seed(3)
        for parameter, weight in model.named_parameters():
            if parameter.endswith("bias") or "norm" in parameter:
                torch.nn.init.normal_(weight, 1.0 if "norm" in parameter else 0.0, 0.2)
        model.save_pretrained(work / name, safe_serialization=True)
        file = json.loads(tokenizer.read_text())
        file["pre_tokenizer"], file["normalizer"] = pre_tokenizer, normalizer
        file["model"]["ignore_merges"] = name == "mistral"
        changed = work / f"{name}.json"
        changed.write_text(json.dumps(file))
        with_tokenizer(work / name, changed)
        there_and_back(name, work / name, work)


def gpt2s(work, tokenizer, vocab_size):
    for tied, dtype in itertools.product([True, False], ["float32", "bfloat16"]):
        torch.manual_seed(2)
        config = GPT2Config(
            vocab_size=vocab_size, n_embd=32, n_layer=2, n_head=4, n_positions=96, initializer_range=0.2, n_inner=72,
            tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0, layer_norm_epsilon=1e-5 if tied else 1e-2,
        )
        model = GPT2LMHeadModel(config)
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(weight, 0.0, 0.2)
        name = f"gpt2-{'tied' if tied else 'untied'}-{dtype}"
        model.to(getattr(torch, dtype)).save_pretrained(work / name, safe_serialization=True)
        with_tokenizer(work / name, tokenizer)
        there_and_back(name, work / name, work)


def trained_here(work):
    """Models trained here a little; one that transformers has no name for."""
    gpt2 = ["norm=layernorm", "positions=learned", "feed_forward=gelu", "bias=true"]
    for name, switches in {
        "trained-llama": ["n_kv_heads=2"],
        "trained-llama-tied": ["tied_embeddings=true", "bias=true"],
        "trained-gpt2": gpt2,
    }.items():
        model, exported = work / name, work / f"{name}-hf"
        sets = itertools.chain.from_iterable(("--set", switch) for switch in switches)
        glasshead("train", "--steps", 20, "--backend", "cpu", "--out", model, *sets)
        glasshead("export", "--model", model, "--format", "hf", exported)
        for backend in BACKENDS:
            compare(f"{name}, exported ({backend})", theirs(exported), ours(model, backend, work))
    other = work / "other"
    glasshead("train", "--steps", 1, "--backend", "cpu", "--out", other, "--set", "norm=none")
    message = glasshead("export", "--model", other, work / "no", fails=True)
    assert "norm=rmsnorm" in message and "positions=learned" in message, message


def refused(work, source):
    """What cannot be read names the setting."""
    for change, word in [
        ({"model_type": "mamba"}, "model_type"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"hidden_size": 64}, "head_dim"),
        ({"hidden_act": "relu"}, "hidden_act"),
    ]:
        copy = work / f"refused-{word}"
        copy.mkdir()
        for file in source.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        config = json.loads((copy / "config.json").read_text())
        config["head_dim"] = 8
        (copy / "config.json").write_text(json.dumps({**config, **change}))
        message = glasshead("import", copy, "--out", work / "no", fails=True)
        assert word in message, message
    message = glasshead("import", work, "--out", work / "no", fails=True)
    assert "config.json" in message, message


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        text, tokenizer = work / "text.txt", work / "tokenizer.json"
        text.write_text((TEXT + " The cat sat on the mat and it was good.\n") * 20)
        options = ["--vocab-size", 300, "--special", END]
        glasshead("tokenizer", "train", "--text", text, *options, "--out", tokenizer)
        # Rows that no token has, as many models have them.
        vocab_size = 304
        llamas(work, tokenizer, vocab_size)
        relatives(work, tokenizer, vocab_size)
        gpt2s(work, tokenizer, vocab_size)
        trained_here(work)
        refused(work, work / "llama-untied-kv4-float32")
    print("all as transformers has it")


main()
