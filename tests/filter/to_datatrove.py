#!/usr/bin/env python3
"""Converts a settings file of `glasshead data` into a pipeline of datatrove, and compares their decisions.

    tests/filter/to_datatrove.py SETTINGS.toml > pipeline.py
    tests/filter/to_datatrove.py SETTINGS.toml --check RUN_FOLDER TEXTS.jsonl

The first form writes a Python file that defines `steps()` for one of datatrove's executors (local, Slurm, Ray). The second
runs the rules in this process on the texts of a file, and compares with `decisions.jsonl` of a run on the same file.
"""

import argparse
import json
import pathlib
import sys
import tomllib

HEADER = '''"""Made from {name} by tests/filter/to_datatrove.py."""

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter, LanguageFilter, URLFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
'''

DEFAULTS = {
    "language": {"keep": ["en"], "min_score": 0.7},
    "repetition": {"max_duplicate_lines": 0.3, "max_duplicate_paragraphs": 0.3, "max_duplicate_line_characters": 0.2,
                   "max_duplicate_paragraph_characters": 0.2, "max_top_ngram": [0.2, 0.18, 0.16],
                   "max_duplicate_ngrams": [0.15, 0.14, 0.13, 0.12, 0.11, 0.10]},
    "gopher": {"min_words": 50, "max_words": 100000, "min_mean_word_length": 3, "max_mean_word_length": 10,
               "max_symbol_ratio": 0.1, "max_bullet_lines": 0.9, "max_ellipsis_lines": 0.3, "min_alphabetic_words": 0.8,
               "min_stop_words": 2},
    "c4": {"terminal_punctuation": False, "min_sentences": 5, "min_words_per_line": 3, "max_word_length": 1000,
           "lorem_ipsum": True, "javascript": True, "curly_bracket": True, "policy": True, "citations": True},
    "fineweb": {"min_punctuated_lines": 0.12, "max_short_lines": 0.67, "short_line": 30,
                "max_duplicate_characters": 0.01, "max_newline_ratio": 0.3},
    "minhash": {"bands": 14, "rows": 8, "ngram": 5, "threshold": 0.8, "seed": 1},
    "url": {"domains": [], "words": [], "soft_words": [], "min_soft_words": 2, "parts": []},
    "mask": {"emails": True, "phones": True, "ips": True},
}


def settings_of(path):
    given = tomllib.loads(pathlib.Path(path).read_text())
    return {stage: {"enabled": True} | defaults | given.get(stage, {}) for stage, defaults in DEFAULTS.items()}


def filters(settings):
    """The filters as (stage, class, arguments)."""
    found = []

    def add(stage, name, **arguments):
        if settings[stage]["enabled"]:
            found.append((stage, name, arguments))

    url, repetition, gopher = settings["url"], settings["repetition"], settings["gopher"]
    if url["domains"] or url["words"] or url["soft_words"] or url["parts"]:
        add("url", "URLFilter", extra_domains=url["domains"], banned_words=url["words"], soft_banned_words=url["soft_words"],
            banned_subwords=url["parts"], soft_word_threshold=url["min_soft_words"], use_integrated_lists=False)
    add("language", "LanguageFilter", languages=settings["language"]["keep"],
        language_threshold=settings["language"]["min_score"])
    add("repetition", "GopherRepetitionFilter", dup_line_frac=repetition["max_duplicate_lines"],
        dup_para_frac=repetition["max_duplicate_paragraphs"], dup_line_char_frac=repetition["max_duplicate_line_characters"],
        dup_para_char_frac=repetition["max_duplicate_paragraph_characters"],
        top_n_grams=list(zip((2, 3, 4), repetition["max_top_ngram"])),
        dup_n_grams=list(zip(range(5, 11), repetition["max_duplicate_ngrams"])))
    add("gopher", "GopherQualityFilter", min_doc_words=gopher["min_words"], max_doc_words=gopher["max_words"],
        min_avg_word_length=gopher["min_mean_word_length"], max_avg_word_length=gopher["max_mean_word_length"],
        max_symbol_word_ratio=gopher["max_symbol_ratio"], max_bullet_lines_ratio=gopher["max_bullet_lines"],
        max_ellipsis_lines_ratio=gopher["max_ellipsis_lines"], max_non_alpha_words_ratio=gopher["min_alphabetic_words"],
        min_stop_words=gopher["min_stop_words"])
    c4, fineweb = settings["c4"], settings["fineweb"]
    add("c4", "C4QualityFilter", filter_no_terminal_punct=c4["terminal_punctuation"], min_num_sentences=c4["min_sentences"],
        min_words_per_line=c4["min_words_per_line"], max_word_length=c4["max_word_length"],
        filter_lorem_ipsum=c4["lorem_ipsum"], filter_javascript=c4["javascript"],
        filter_curly_bracket=c4["curly_bracket"], filter_policy=c4["policy"], remove_citations=c4["citations"])
    add("fineweb", "FineWebQualityFilter", line_punct_thr=fineweb["min_punctuated_lines"],
        short_line_thr=fineweb["max_short_lines"], short_line_length=fineweb["short_line"],
        char_duplicates_ratio=fineweb["max_duplicate_characters"], new_line_ratio=fineweb["max_newline_ratio"])
    return found


def program(path):
    settings = settings_of(path)
    call = lambda name, arguments: f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
    lines = [HEADER.format(name=pathlib.Path(path).name), "", "def steps(source, out):",
             '    """Filters pages of WARC archives (or texts of .jsonl files) in one folder into another."""',
             "    reader = JsonlReader(source) if source.endswith('jsonl') else WarcReader(source)",
             "    extract = [] if source.endswith('jsonl') else [Trafilatura(favour_precision=True)]",
             "    return [", "        reader,", "        *extract,"]
    lines += [f"        {call(name, arguments)}," for _, name, arguments in filters(settings)]
    lines += ["        JsonlWriter(f'{out}/filtered'),", "    ]", ""]
    minhash, mask = settings["minhash"], settings["mask"]
    if minhash["enabled"]:
        lines += ["", "def deduplication(out, tasks):", '    """The stages of MinHash, one after the other."""',
                  "    config = MinhashConfig(", "        hash_config=HashConfig(precision=64),",
                  f"        num_buckets={minhash['bands']}, hashes_per_bucket={minhash['rows']}, n_grams={minhash['ngram']},"
                  f" seed={minhash['seed']},", "    )", "    folder = lambda name: f'{out}/minhash/{name}'", "    return [",
                  "        [JsonlReader(f'{out}/filtered'), MinhashDedupSignature(folder('signatures'), config=config)],",
                  "        [MinhashDedupBuckets(folder('signatures'), folder('buckets'), config=config)],",
                  "        [MinhashDedupCluster(folder('buckets'), folder('remove'), config=config)],",
                  "        [JsonlReader(f'{out}/filtered'), MinhashDedupFilter(folder('remove')),"]
        if mask["enabled"]:
            lines += [f"         PIIFormatter(remove_emails={mask['emails']}, remove_ips={mask['ips']}, only_remove_public_ips=False),"]
        lines += ["         JsonlWriter(f'{out}/kept')],", "    ]", ""]
    lines += ["", "if __name__ == '__main__':", "    import sys", "    source, out, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3])",
              "    LocalPipelineExecutor(steps(source, out), tasks=tasks, workers=tasks).run()"]
    if minhash["enabled"]:
        lines += ["    for at, stage in enumerate(deduplication(out, tasks)):",
                  f"        n = {{0: tasks, 1: {minhash['bands']}, 2: 1, 3: tasks}}[at]",
                  "        LocalPipelineExecutor(stage, tasks=n, workers=n).run()"]
    return "\n".join(lines) + "\n"


def check(path, run, texts):
    import datatrove.pipeline.filters as module
    from datatrove.data import Document

    settings = settings_of(path)
    # LanguageFilter downloads a model, and URLFilter needs addresses; both are left to the run.
    steps = [(stage, getattr(module, name)(**arguments)) for stage, name, arguments in filters(settings)
             if stage not in ("language", "url")]
    mine = {stage for stage, _ in steps}
    n, equal = 0, 0
    decisions = (pathlib.Path(run) / "decisions.jsonl").open()
    for row, decision in zip(map(json.loads, open(texts)), map(json.loads, decisions)):
        dropped = decision.get("dropped")
        if dropped and dropped["stage"] not in mine and dropped["stage"] not in ("lines", "minhash"):
            continue
        document, reason = Document(text=row["text"].strip(), id="0"), None
        for stage, step in steps:
            result = step.filter(document)
            if result is not True:
                reason = f"{stage}: {result[1]}"
                break
        ours = f"{dropped['stage']}: {dropped['reason']}" if dropped and dropped["stage"] in mine else None
        n += 1
        equal += (ours is None) == (reason is None)
        if (ours is None) != (reason is None):
            print(f"{decision['url']}: {ours} here, {reason} in datatrove")
    print(f"{equal} of {n} decisions are equal, {100 * equal / max(n, 1):.2f} %")
    return 0 if equal >= 0.995 * n else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("settings")
    parser.add_argument("--check", nargs=2, metavar=("RUN", "TEXTS"))
    args = parser.parse_args()
    if args.check:
        sys.exit(check(args.settings, *args.check))
    sys.stdout.write(program(args.settings))


if __name__ == "__main__":
    main()
