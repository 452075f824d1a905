"""Holds the logs of `glasshead train --log-dir` against TensorBoard's own reader, and against each other.

    python3 -m venv venv && venv/bin/pip install tensorboard==2.21.0
    venv/bin/python tests/interop/logs.py target/release/glasshead
"""

import csv
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {"loss/train": "loss", "learning_rate": "lr", "gradient_norm": "grad_norm", "loss/held-out": "val_loss"}


def as_f32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def main():
    with tempfile.TemporaryDirectory() as folder:
        log, options = Path(folder) / "log", ["--backend", "cpu", "--json", "--eval-every", "10", "--log-dir"]
        for steps, more in [("20", []), ("30", ["--resume", folder])]:
            command = [sys.argv[1], "train", "--steps", steps, "--out", folder, *options, log, *more]
            subprocess.run(command, check=True, capture_output=True)
        lines = [json.loads(line) for line in (log / "log.jsonl").read_text().splitlines()]
        rows = list(csv.DictReader((log / "log.csv").open()))
        # The held-out losses of steps 0, 10, 20 and 30: that of step 20, where the run is resumed, is not repeated.
        assert len(rows) == len(lines) == 30 + 4, (len(rows), len(lines))
        events = EventAccumulator(str(log), size_guidance={"scalars": 0})
        events.Reload()
        assert len(list(log.glob("events.out.tfevents.*"))) == 2
        for tag, field in TAGS.items():
            told = [(scalar.step, scalar.value) for scalar in events.Scalars(tag)]
            expected = [(line["step"], as_f32(line[field])) for line in lines if field in line]
            assert sorted(told) == sorted(expected), (tag, told, expected)
            in_csv = [(int(row["step"]), as_f32(float(row[field]))) for row in rows if row[field]]
            assert in_csv == expected, (tag, in_csv, expected)
            print(f"{tag:16} {len(told)} numbers, the same in all three files")


main()
