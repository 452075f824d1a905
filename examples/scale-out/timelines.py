"""Compares two timelines in Chrome trace JSON, Glasshead's or PyTorch's: which kernels became slower or faster, ranked.

    python3 examples/scale-out/timelines.py before.json after.json

Glasshead's timelines come from `glasshead profile --trace` or from the page's Systems view, PyTorch's from `train.py --trace`.
Of PyTorch's events, kernels on the GPU count, or operators on the CPU where there is no GPU, without the time of the operators
that they call.
"""

import json
import sys
from collections import defaultdict


def spans(path):
    """Name, beginning and duration in microseconds of everything that the device computes, by thread."""
    with open(path) as file:
        trace = json.load(file)
    events = [event for event in trace["traceEvents"] if event.get("ph") == "X"]
    if "glasshead" in trace.get("otherData", {}):
        chosen = [event for event in events if event["pid"] == 2]
    else:
        kernels = [event for event in events if event.get("cat") == "kernel"]
        chosen = kernels or [event for event in events if event.get("cat") == "cpu_op"]
    threads = defaultdict(list)
    for event in chosen:
        threads[event["pid"], event["tid"]].append((event["ts"], event["dur"], event["name"]))
    return threads


def own_times(path):
    """Microseconds and calls by name; an event's time does not include that of the events within it."""
    sums = defaultdict(lambda: [0.0, 0])
    for events in spans(path).values():
        around = []
        for start, duration, name in sorted(events, key=lambda event: (event[0], -event[1])):
            while around and around[-1][0] <= start:
                around.pop()
            if around:
                sums[around[-1][1]][0] -= duration
            sums[name][0] += duration
            sums[name][1] += 1
            around.append((start + duration, name))
    return sums


def main(before, after):
    old, new = own_times(before), own_times(after)
    rows = [(name, old.get(name, [0.0, 0]), new.get(name, [0.0, 0])) for name in {*old, *new}]
    rows.sort(key=lambda row: -abs(row[2][0] - row[1][0]))
    print(f"{'':<44}{'before, ms':>12}{'after, ms':>12}{'change':>12}  calls")
    for name, (was, n_was), (now, n_now) in [*rows[:20], ("sum", total(old), total(new))]:
        print(f"{name[:43]:<44}{was / 1e3:>12.3f}{now / 1e3:>12.3f}{(now - was) / 1e3:>+12.3f}  {n_was} → {n_now}")


def total(sums):
    return [sum(time for time, _ in sums.values()), sum(calls for _, calls in sums.values())]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
