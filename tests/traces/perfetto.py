#!/usr/bin/env python3
"""Checks a trace that `glasshead profile --trace FILE` has written.

    python3 tests/traces/perfetto.py trace.json [--processor trace_processor_shell]

Structure first: complete events of a thread do not overlap, and kernels and idle time add up to the step within 5 %. Then the
same with Perfetto's trace processor, if the package `perfetto` is installed (pip install perfetto); it downloads its program on
first use, unless --processor names one.
"""

import argparse
import json
import sys
from collections import defaultdict

TOLERANCE = 0.05


def complete(events):
    return [event for event in events if event["ph"] == "X"]


def structure(trace):
    """Kernel time in microseconds, after checking the events."""
    events = trace["traceEvents"]
    names = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event.get("name") == "thread_name"}
    threads = defaultdict(list)
    for event in complete(events):
        assert event["dur"] >= 0 and event["ts"] >= 0, event
        assert (event["pid"], event["tid"]) in names, f"a thread without a name: {event}"
        threads[event["pid"], event["tid"]].append(event)
    for thread, spans in threads.items():
        spans.sort(key=lambda event: event["ts"])
        for before, after in zip(spans, spans[1:]):
            assert before["ts"] + before["dur"] <= after["ts"] + 1e-3, f"{names[thread]}: {before} overlaps {after}"
    device = sorted((event for event in complete(events) if event["pid"] == 2), key=lambda event: event["ts"])
    own = trace["otherData"]["glasshead"]
    wall = own["wall_ns"] / 1e3
    busy = sum(event["dur"] for event in device)
    idle = device[0]["ts"] + wall - (device[-1]["ts"] + device[-1]["dur"])
    idle += sum(after["ts"] - before["ts"] - before["dur"] for before, after in zip(device, device[1:]))
    assert abs((busy + idle) / wall - 1) < TOLERANCE, f"{busy} + {idle} of {wall} us"
    print(f"{len(device)} kernels, {busy / 1e3:.2f} ms busy + {idle / 1e3:.2f} ms idle = {wall / 1e3:.2f} ms")
    print(f"without profiling {own['plain_ns'] / 1e6:.2f} ms: {100 * (own['wall_ns'] / own['plain_ns'] - 1):+.1f} %")
    return busy, len(device)


def perfetto(path, processor, busy_us, n_kernels):
    try:
        from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig
    except ImportError:
        print("the package perfetto is not installed; only the structure was checked")
        return
    with TraceProcessor(trace=path, config=TraceProcessorConfig(bin_path=processor)) as tp:
        query = """select count(*) as n, sum(slice.dur) as ns from slice join thread_track on slice.track_id = thread_track.id
                   join thread using (utid) join process using (upid) where process.name glob 'Device*'"""
        row = next(iter(tp.query(query)))
        assert row.n == n_kernels, f"{row.n} of {n_kernels} kernels"
        assert abs(row.ns / 1e3 / busy_us - 1) < 1e-3, f"{row.ns} ns"
        errors = {row.name: row.value for row in tp.query("select name, value from stats where severity = 'error' and value > 0")}
        assert not errors, errors
        print(f"Perfetto's trace processor reads {row.n} kernels, {row.ns / 1e6:.2f} ms, without errors")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("--processor")
    args = parser.parse_args()
    with open(args.trace) as file:
        trace = json.load(file)
    busy, n_kernels = structure(trace)
    perfetto(args.trace, args.processor, busy, n_kernels)


if __name__ == "__main__":
    sys.exit(main())
