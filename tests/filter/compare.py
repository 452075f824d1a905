#!/usr/bin/env python3
"""Compares the decisions of `glasshead ops` with those of datatrove on generated and real documents.

    python3 -m venv v && v/bin/pip install datatrove spacy nltk
    v/bin/python tests/filter/compare.py BINARY [--real FOLDER ...] [--documents 10000] [--seed 1]

Half of the documents are generated pages (`glasshead data generate`), in the form of their text with the parts around it;
the other half are files of text below the folders. Every document goes through the four sets of rules of both programs.
Exits with 1 if they agree on less than 99.5 % of the documents for any of the four.
"""

import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

RULES = {
    "gopher": GopherQualityFilter(),
    "gopher_repetition": GopherRepetitionFilter(),
    "c4": C4QualityFilter(),
    "fineweb": FineWebQualityFilter(),
}
SUFFIXES = {".md", ".txt", ".rst", ".html", ".htm", ".text"}


class Server:
    """`glasshead ops` on the CPU."""

    def __init__(self, binary):
        command = [binary, "ops", "--backend", "cpu"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, op, args, tensors=()):
        header = {"__metadata__": {"op": json.dumps(op), "args": json.dumps(args)}}
        body = b""
        for name, data in tensors:
            header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [len(body), len(body) + len(data)]}
            body += data
        text = json.dumps(header).encode()
        blob = struct.pack("<Q", len(text)) + text + body
        self.process.stdin.write(struct.pack("<Q", len(blob)) + blob)
        self.process.stdin.flush()
        (length,) = struct.unpack("<Q", self.process.stdout.read(8))
        blob = self.process.stdout.read(length)
        (length,) = struct.unpack("<Q", blob[:8])
        answer = json.loads(blob[8:8 + length])["__metadata__"]
        if json.loads(answer["ok"]) is not True:
            raise RuntimeError(answer["error"])
        return json.loads(answer["result"])


def generated(binary, n, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pages.jsonl"
        subprocess.run([binary, "data", "generate", "--out", path, "--megabytes", str(n * 0.006), "--seed", str(seed)],
                       check=True, stdout=subprocess.DEVNULL)
        rows = [json.loads(line) for line in path.open()]
    server = Server(binary)
    for at, row in enumerate(rows[:n]):
        # The text alone, and the whole page with its menus.
        text = row["text"] if at % 2 == 0 else server.ask("html_text", {}, [("html", row["html"].encode())])
        if text and text.strip():
            yield f"generated {row['label']} {at}", text


def real(folders, n, seed):
    paths = [path for folder in folders for path in pathlib.Path(folder).rglob("*")
             if path.suffix.lower() in SUFFIXES and path.is_file() and 200 < path.stat().st_size < 60_000]
    random.Random(seed).shuffle(paths)
    for path in paths[:n]:
        text = path.read_text(errors="replace").strip()
        if text:
            yield str(path), text


def theirs(rules, text):
    try:
        result = RULES[rules].filter(Document(text=text, id="0"))
    except (ZeroDivisionError, AssertionError) as error:
        return False, f"raises {type(error).__name__}"
    return (True, None) if result is True else result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--real", nargs="*", default=[])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    half = args.documents // 2 if args.real else args.documents
    documents = list(generated(args.binary, half, args.seed))
    n_generated = len(documents)
    documents += real(args.real, args.documents - n_generated, args.seed)
    print(f"{n_generated} generated and {len(documents) - n_generated} real documents")
    server, failed = Server(args.binary), False
    for rules in RULES:
        equal, same_reason, differences, dropped = 0, 0, [], 0
        for name, text in documents:
            ours = server.ask("filter", {"rules": rules, "text": text})
            keep, reason = theirs(rules, text)
            dropped += not keep
            equal += ours["keep"] == keep
            same_reason += ours["keep"] == keep and ours["reason"] == reason
            if ours["keep"] != keep or ours["reason"] != reason:
                differences.append((name, ours["reason"], reason))
        share = equal / len(documents)
        failed |= share < 0.995
        print(f"{rules}: {100 * share:.2f} % of decisions equal, {100 * same_reason / len(documents):.2f} % with the same reason; "
              f"datatrove drops {dropped}")
        for name, ours, reason in differences[:12]:
            print(f"    {name}: {ours} here, {reason} in datatrove")
    sys.exit(failed)


if __name__ == "__main__":
    main()
