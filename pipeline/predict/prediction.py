"""What a saved predictor answers about one network, and its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GRADES = ("like those trained on", "somewhat off", "far off")  # by distance: pipeline.predict.interval
FAR_BELOW = 0.5  # of the fastest measured network: less is no longer like any of them


@dataclass(frozen=True)
class Neighbour:
    """A measured training network; `distance` as in `pipeline.predict.neighbours`."""

    name: str
    family: str
    latency_ms: float
    distance: float


@dataclass(frozen=True)
class Expected:
    """Errors of networks of lineages that were left out of training, at one distance: in percent, alike up and down,
    the median and what nine tenths stay below; the percentage of networks whose error is over 25 %."""

    median_error_percent: float
    error_90_percent: float
    over_25_percent: float


@dataclass(frozen=True)
class Measured:
    """A real timing: its status (`pipeline.measure.timing`), latency as labels are measured and median of the runs
    (ms), error of the prediction in percent of the latency; None where the network could not be timed."""

    status: str
    message: str
    latency_ms: float | None
    median_ms: float | None
    repeats: int
    busy: bool
    error_percent: float | None
    in_interval: bool | None


@dataclass(frozen=True)
class Prediction:
    """`latency_ms` lies between `low_ms` and `high_ms` with probability `level` for networks drawn as the `held_out`
    ones. `meaning`: what the milliseconds are of; `batch_timed`: where they are of an image, the median number of
    images in a timed step. Costs are of the whole batch. `distance`: to the nearest training network; `grade`: one of
    GRADES; `expected`: what errors are at such a distance, None where no lineage was left out to tell.
    `notes`: sizes that were assumed."""

    model: str
    device: str
    predictor: str
    dataset: str
    meaning: str
    batch_timed: int | None
    latency_ms: float
    level: float
    low_ms: float
    high_ms: float
    held_out: int
    batch_size: int
    flops: float
    macs: float
    params: float
    memory_bytes: float
    distance: float
    grade: str
    expected: Expected | None
    nearest: tuple[Neighbour, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    measured: Measured | None = None


def warnings_of(prediction: Prediction, unseen: Sequence[str], predicted_ms: float, fastest_ms: float) -> Iterator[str]:
    """Why a prediction is in doubt: a network far from the measured ones, `unseen` operations, less than the floor
    (`predicted_ms` is what the predictor said), far less than the fastest measured network takes."""
    if prediction.grade == GRADES[-1]:
        likely = "reckon with an error over 25 %" if prediction.expected else "nothing is known of errors so far off"
        yield f"the network lies far off what {prediction.predictor} was trained on; {likely}"
    if unseen:
        yield f"operations that no training network has: {', '.join(unseen)}"
    if predicted_ms < prediction.latency_ms:
        yield (
            f"{prediction.predictor} says {predicted_ms:.2g} ms, less than one call of the runtime and its operations "
            "take; that floor is given instead"
        )
    elif predicted_ms < FAR_BELOW * fastest_ms:
        yield f"the fastest network that was measured takes {fastest_ms:.2g} ms; nothing is known of faster ones"


def expected_words(answers: Sequence[Prediction]) -> str:
    """What errors are at the distances of some predictions; "" where no lineage was left out to tell."""
    expected = [one.expected for one in answers if one.expected]
    if not expected:
        return ""
    median, ninety, over = (
        _span([getattr(one, key) for one in expected])
        for key in ("median_error_percent", "error_90_percent", "over_25_percent")
    )
    return (
        f"at such a distance, networks of lineages left out of training were off by {median} % in the median and nine "
        f"in ten by {ninety} % at most; {over} % of them by over 25 %"
    )


def _span(values: Sequence[float]) -> str:
    least, most = (f"{value:.0f}" for value in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


def report(prediction: Prediction) -> str:
    """The prediction in words."""
    lines = [
        f"{prediction.model} on {prediction.device}, batch {prediction.batch_size}: {prediction.latency_ms:.4g} ms",
        f"({prediction.meaning})",
        f"{100 * prediction.level:g} % interval: {prediction.low_ms:.4g} to {prediction.high_ms:.4g} ms "
        f"({prediction.predictor} on {prediction.dataset}, {prediction.held_out} held-out networks)",
    ]
    if prediction.nearest:
        width = max(len(n.name) for n in prediction.nearest)
        lines.append("nearest measured networks:")
        lines += [f"  {n.name:{width}}  {n.latency_ms:9.4g} ms  distance {n.distance:.2f}" for n in prediction.nearest]
    words = expected_words([prediction])
    lines += [f"{prediction.grade} (distance {prediction.distance:.2f}){': ' + words if words else ''}"]
    lines += [f"note: {note}" for note in prediction.notes]
    lines += [f"warning: {warning}" for warning in prediction.warnings]
    measured = prediction.measured
    if measured is not None and measured.status != "ok":
        lines.append(f"measured: {measured.status}: {measured.message}")
    elif measured is not None:
        place = "inside" if measured.in_interval else "outside"
        lines.append(
            f"measured: {measured.latency_ms:.4g} ms (median {measured.median_ms:.4g}, "
            f"{measured.repeats} runs); the prediction is off by {measured.error_percent:+.1f} %, "
            f"the truth {place} the interval"
        )
        if measured.busy:
            lines.append("warning: other processes were at work while it was timed")
    return "\n".join(lines)
