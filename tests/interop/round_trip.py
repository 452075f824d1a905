"""Holds import and export against Hugging Face's transformers (5.x): every fact of a model's files survives both.

    python3 -m venv venv && venv/bin/pip install torch transformers
    venv/bin/python tests/interop/round_trip.py target/release/glasshead

Small models in the styles of Llama 3, Qwen 2, Mistral and GPT-2 are made by transformers, with the tokenizers, templates, end
tokens and settings that such models have. Each is imported and exported again. Prompts have the ids that transformers gives
them, logits agree to 1e-4, greedy text stops where transformers stops, and every field of the JSON files that Glasshead does
not change is the same afterwards.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
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
from transformers.utils import logging

logging.set_verbosity_error()

BINARY = sys.argv[1]
TEXT = "Once upon a time, a fox ran over the hill — 3 ships, 12:45! It's 2024, DON'T  stop.\n\n  <think>café 猫</think>"
PROMPTS = ["Once upon", "The cat", "<think>", ""]
N_TOKENS = 12
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|NUMBERS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"


def glasshead(*args):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True)
    assert done.returncode == 0, f"{args}: {done.stderr.decode()}"
    return done.stdout.decode(), done.stderr.decode()


def byte_level(pattern, specials):
    """A tokenizer trained on a few sentences."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=pattern is not None))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [pre_tokenizers.Split(Regex(pattern), "isolated", False)] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, level]) if split else level
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT.replace("think", "") + " The cat sat on the mat."] * 20, trainer)
    tokenizer.add_special_tokens([AddedToken(special, special=True, normalized=False) for special in specials])
    # Reasoning models mark thoughts with tokens that are not special.
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>", "    ")])
    return tokenizer


def begins_with(tokenizer, special):
    template = processors.TemplateProcessing(
        single=f"{special} $A", pair=f"{special} $A {special} $B", special_tokens=[(special, tokenizer.token_to_id(special))]
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])


def llama3():
    tokenizer = byte_level(SPLIT.replace("NUMBERS", r"\p{N}{1,3}"), ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    begins_with(tokenizer, "<|begin_of_text|>")
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size() + 5, hidden_size=32, intermediate_size=56, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096, initializer_range=0.3,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0}, rms_norm_eps=1e-5,
        bos_token_id=tokenizer.token_to_id("<|begin_of_text|>"), eos_token_id=tokenizer.token_to_id("<|end_of_text|>"),
    )
    names = dict(bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    return tokenizer, LlamaForCausalLM(config), names


def qwen2():
    tokenizer = byte_level(SPLIT.replace("NUMBERS", r"\p{N}"), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.normalizer = normalizers.NFC()
    config = Qwen2Config(
        vocab_size=tokenizer.get_vocab_size() + 9, hidden_size=32, intermediate_size=56, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048, initializer_range=0.3,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=True, use_sliding_window=False,
        bos_token_id=tokenizer.token_to_id("<|endoftext|>"), eos_token_id=tokenizer.token_to_id("<|im_end|>"),
    )
    names = dict(eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=["<|im_start|>"])
    return tokenizer, Qwen2ForCausalLM(config), names


def mistral():
    tokenizer = byte_level(SPLIT.replace("NUMBERS", r"\p{N}{1,3}"), ["<unk>", "<s>", "</s>", "[INST]"])
    begins_with(tokenizer, "<s>")
    config = MistralConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, intermediate_size=56, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3,
        sliding_window=None, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        bos_token_id=tokenizer.token_to_id("<s>"), eos_token_id=tokenizer.token_to_id("</s>"),
    )
    return tokenizer, MistralForCausalLM(config), dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def gpt2():
    tokenizer = byte_level(None, ["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    end = tokenizer.token_to_id("<|endoftext|>")
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_embd=32, n_layer=2, n_head=4, n_positions=128, initializer_range=0.3,
        bos_token_id=end, eos_token_id=end, resid_pdrop=0.05, task_specific_params={"text-generation": {"max_length": 50}},
    )
    return tokenizer, GPT2LMHeadModel(config), dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>")


def biases(model):
    for name, weight in model.named_parameters():
        if name.endswith("bias") or "norm" in name:
            torch.nn.init.normal_(weight, 1.0 if "norm" in name and not name.endswith("bias") else 0.0, 0.2)


def ids_of(tokenizer, prompt, config):
    """What a prompt becomes: an empty one begins with the model's own beginning."""
    return tokenizer.encode(prompt).ids or [config.bos_token_id]


def greedy(model, ids):
    """The ids after a prompt, without the one that ends them."""
    with torch.no_grad():
        written = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=N_TOKENS, pad_token_id=0)[0].tolist()
    written = written[len(ids):]
    end = model.generation_config.eos_token_id
    ends = end if isinstance(end, list) else [end]
    return written[:-1] if written and written[-1] in ends else written


def make(name, style, folder):
    """Saves a model that stops in the middle of its first text."""
    for seed in range(99):
        torch.manual_seed(seed)
        tokenizer, model, names = style()
        biases(model)
        model.eval()
        model.generation_config.eos_token_id = None
        first = greedy(model, ids_of(tokenizer, PROMPTS[0], model.config))
        if stop := next((token for token in first[3:] if token not in first[:3]), None):
            break
    model.generation_config.eos_token_id = [model.config.eos_token_id, stop]
    model.generation_config.do_sample, model.generation_config.top_k = True, 7
    model.save_pretrained(folder)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **names, model_max_length=4096, model_input_names=["input_ids", "attention_mask"]
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    assert len(greedy(model, ids_of(tokenizer, PROMPTS[0], model.config))) < N_TOKENS, f"{name} does not stop"


def compare(name, folder, binary_model):
    tokenizer, model = Tokenizer.from_file(str(folder / "tokenizer.json")), AutoModelForCausalLM.from_pretrained(folder).eval()
    out = folder / "logits.safetensors"
    glasshead("logits", "--model", binary_model, "--text", TEXT, "--out", out, "--backend", "cpu")
    answer = load_file(out)
    out.unlink()
    ids = tokenizer.encode(TEXT).ids
    assert answer["ids"].tolist() == ids, f"{name}: ids {answer['ids'].tolist()} {ids}"
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    difference = (logits - answer["logits"]).abs().max().item()
    assert difference <= 1e-4, f"{name}: logits {difference}"
    lengths = []
    for prompt in PROMPTS:
        expected = greedy(model, ids_of(tokenizer, prompt, model.generation_config))
        options = ["--prompt", prompt, "--temperature", 0, "--max-tokens", N_TOKENS, "--backend", "cpu"]
        text, _ = glasshead("generate", "--model", binary_model, *options)
        text = text.removesuffix("\n")
        expected_text = prompt + tokenizer.decode(expected, skip_special_tokens=False)
        # What is left of a character that is not complete is shown differently.
        assert text.replace("\ufffd", "") == expected_text.replace("\ufffd", ""), f"{name}: {text!r} {expected_text!r}"
        lengths.append(len(expected))
    print(f"{name:24} logits within {difference:.1e}, texts of {lengths} tokens", flush=True)


def parsed(path):
    return json.loads(path.read_text()) if path.suffix == ".json" else path.read_text()


def there_and_back(name, style, work):
    source, model, again = work / name, work / f"{name}-model", work / f"{name}-again"
    make(name, style, source)
    _, said = glasshead("import", source, "--out", model)
    assert said == "", f"{name}: {said}"
    _, said = glasshead("export", "--model", model, "--format", "hf", again)
    assert said == "", f"{name}: {said}"
    for path in sorted(source.iterdir()):
        if path.suffix != ".safetensors":
            one, other = parsed(path), parsed(again / path.name)
            assert one == other, f"{name}: {path.name}\n{one}\n{other}"
    assert sorted(path.name for path in source.iterdir()) == sorted(path.name for path in again.iterdir())
    compare(name, source, model)
    compare(f"{name}, exported", again, model)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, style in [("llama3", llama3), ("qwen2", qwen2), ("mistral", mistral), ("gpt2", gpt2)]:
            there_and_back(name, style, Path(folder))
    print("every field survives, and texts stop where transformers stops")


main()
