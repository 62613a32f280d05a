"""Predictions of several platforms or networks as tables: for people, as CSV, and two networks compared."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pipeline.predict.prediction import GRADES, Prediction, expected_words

COLUMNS = (
    "model", "device", "latency_ms", "low_ms", "high_ms", "level", "batch_timed", "distance", "grade",
    "median_error_percent", "error_90_percent", "over_25_percent", "predictor", "dataset", "meaning", "warnings",
)  # fmt: skip
KEY = "A device is chip_precision_layout_running_torch: amp is mixed precision, dynamo compiled, pt291 torch 2.9.1."


def by_device(answers: Sequence[Prediction]) -> str:
    """What one network takes on several platforms, a line each; warnings that all share once."""
    first, width = answers[0], max(len(one.device) for one in answers)
    lines = [
        f"{first.model}: {first.macs / 1e9:.3g} GMACs, {first.params / 1e6:.4g} M parameters",
        f"{'milliseconds an image on':{width}}  in steps of         ms  {100 * first.level:g} % interval",
    ]
    for one in answers:
        interval = f"{one.low_ms:.4g} to {one.high_ms:.4g}"
        line = f"{one.device:{width}}  {one.batch_timed or 1:11,}  {one.latency_ms:9.4g}  {interval:20}"
        lines.append(f"{line}  {one.grade}" if one.grade != GRADES[0] else line.rstrip())
    words = expected_words(answers)
    lines += [KEY, *([f"{words[0].upper()}{words[1:]}."] if words else []), *(f"note: {note}" for note in first.notes)]
    for warning in dict.fromkeys(warning for one in answers for warning in one.warnings):
        where = [one.device for one in answers if warning in one.warnings]
        others = [one.device for one in answers if one.device not in where]
        platforms = f" ({', '.join(where)})" if len(where) <= len(others) else f" (all but {', '.join(others)})"
        lines.append(f"warning{platforms if others else ''}: {warning}")
    return "\n".join(lines)


def as_csv(answers: Sequence[Prediction]) -> str:
    """One line a network and platform, below the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in answers:
        known = {**vars(one), **(vars(one.expected) if one.expected else {}), "warnings": "; ".join(one.warnings)}
        writer.writerow(known.get(key) for key in COLUMNS)
    return text.getvalue().rstrip("\n")


def overlap(first: Prediction, second: Prediction) -> bool:
    """Whether the intervals of two predictions share a latency."""
    return first.low_ms <= second.high_ms and second.low_ms <= first.high_ms


def compared(first: Sequence[Prediction], second: Sequence[Prediction]) -> str:
    """Two networks on the same platforms: both latencies, the second over the first, and whether intervals overlap."""
    width = max(len(one.device) for one in first)
    lines = [
        f"{second[0].model} against {first[0].model}",
        f"{'milliseconds on':{width}}      first     second  ratio  {100 * first[0].level:g} % intervals",
    ]
    for a, b in zip(first, second, strict=True):
        where = "overlap" if overlap(a, b) else "apart"
        far = "  far off" if GRADES[-1] in (a.grade, b.grade) else ""
        ratio = b.latency_ms / a.latency_ms
        lines.append(f"{a.device:{width}}  {a.latency_ms:9.4g}  {b.latency_ms:9.4g}  {ratio:5.3g}  {where}{far}")
    slower = sum(not overlap(a, b) and a.latency_ms < b.latency_ms for a, b in zip(first, second, strict=True))
    faster = sum(not overlap(a, b) and a.latency_ms > b.latency_ms for a, b in zip(first, second, strict=True))
    lines.append(
        f"Intervals apart: the second is slower on {slower} and faster on {faster} of {len(first)}; where they "
        "overlap, either may be the faster one."
    )
    return "\n".join(lines)


def comparison(first: Sequence[Prediction], second: Sequence[Prediction]) -> list[dict]:
    """What `compared` says, as JSON values."""
    return [
        {
            "device": a.device,
            "first": a.model,
            "second": b.model,
            "first_ms": a.latency_ms,
            "second_ms": b.latency_ms,
            "ratio": b.latency_ms / a.latency_ms,
            "intervals_overlap": overlap(a, b),
            "grades": [a.grade, b.grade],
        }
        for a, b in zip(first, second, strict=True)
    ]
