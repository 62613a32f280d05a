"""NNLQP's release archives (Liu et al., ICPP 2022) to canonical Parquet: shared by nnlqp_unseen, _multi and _fpga.

An archive holds, per part, `<part>/gt.txt` and the ONNX files it names. A line of gt.txt is
`graph-id onnx-path batch-size latency-ms model-type platform-id [train|test]`. The archive is read twice, as a stream:
once for the labels (and every member's name, kind and size is checked), once for the models, which are parsed in
parallel and never touch the disk. A graph is one ONNX file at one batch size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from pipeline.convert import _common
from pipeline.core import io, schema, table_checks
from pipeline.core.errors import BenchError
from pipeline.core.workers import in_order
from pipeline.fetch import archive
from pipeline.measure import platforms
from pipeline.onnx.columns import Packed, frame, pack
from pipeline.onnx.graph import read_graph

TARGET = "latency_ms"
# Platform ids of gt.txt, in the names of NNLQP's documentation with `_` for other signs.
PLATFORMS = {
    1: "gpu_gtx1660_trt7_1_fp32",
    2: "cpu_openppl_fp32",
    9: "hi3559a_nnie11_int8",
    10: "gpu_t4_trt7_1_fp32",
    12: "gpu_t4_trt7_1_int8",
    13: "gpu_p4_trt7_1_fp32",
    14: "gpu_p4_trt7_1_int8",
    16: "hi3519a_nnie12_int8",
    18: "atlas300_acl_fp16",
    23: "mul270_neuware_int8",
}
DEVICES = PLATFORMS | {platform.nnlqp_id: platform.name for platform in platforms.PLATFORMS.values()}
MAX_MODEL_BYTES = 2**26  # a model without weights
MAX_LABEL_BYTES = 2**26
CHUNK_BYTES = 2**21  # models sent to a worker at once
STAGES = ("train", "test")


@dataclass(frozen=True)
class Label:
    """One line of gt.txt. `stage` is train, test or None; `latency_ms` > 0."""

    path: str
    batch_size: int
    latency_ms: float
    family: str
    platform: int
    stage: str | None


@dataclass(frozen=True)
class Part:
    """One folder of an archive: labels, and where its files are. Model `path` of a label is `base/path` there."""

    archive: Path
    folder: str
    base: str
    labels: tuple[Label, ...]


def parse_labels(text: str, where: str) -> tuple[Label, ...]:
    """The lines of a gt.txt, in order. Raises BenchError naming the line that breaks the format."""
    labels = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            _, path, batch, latency, family, platform, *stage = fields
            label = Label(path, int(batch), float(latency), family, int(platform), stage[0] if stage else None)
        except ValueError as error:
            raise BenchError(f"{where}, line {number}: {line[:80]!r} is not a label; fetch it again") from error
        if len(stage) > 1 or label.stage not in (None, *STAGES):
            raise BenchError(
                f"{where}, line {number}: stage {' '.join(stage)[:20]!r} is not train or test; fetch it again"
            )
        if not 1 <= label.batch_size < 2**16 or not 0 < label.latency_ms < 1e9:
            raise BenchError(
                f"{where}, line {number}: batch size or latency out of range in {line[:80]!r}; fetch it again"
            )
        if not path.endswith(".onnx") or path.startswith("/") or ".." in path.split("/"):
            raise BenchError(f"{where}, line {number}: {path[:80]!r} is not the path of a model; fetch it again")
        labels.append(label)
    if not labels:
        raise BenchError(f"{where}: no labels; fetch it again")
    return tuple(labels)


def read_part(path: Path, folder: str) -> Part:
    """Find `folder`/gt.txt in an archive and check that the archive holds every model it names. Raises BenchError."""
    label_files: dict[str, bytes] = {}
    names = set()

    def is_label_file(name: str) -> bool:
        return name == f"{folder}/gt.txt" or name.endswith(f"/{folder}/gt.txt")

    for name, content in archive.members(path, is_label_file):
        names.add(name)
        if content is not None:
            label_files[name] = content
    if len(label_files) != 1:
        raise BenchError(f"{path}: {len(label_files)} files {folder}/gt.txt, expected one; fetch it again")
    (name, content), *_ = label_files.items()
    if len(content) > MAX_LABEL_BYTES:
        raise BenchError(f"{path}: {name} has {len(content):,} bytes, over the limit of {MAX_LABEL_BYTES:,}; refused")
    labels = parse_labels(content.decode("utf-8", errors="replace"), f"{path}: {name}")
    base = name.removesuffix("gt.txt")
    missing = [label.path for label in labels if base + label.path not in names]
    if missing:
        raise BenchError(f"{path}: lacks {len(missing)} models of {name}, first {missing[0]!r}; fetch it again")
    return Part(path, folder, base, labels)


def with_stages(part: Part, stage_file: Path) -> Part:
    """Take the train/test marks that the labels lack from a gt_stage.txt. Raises BenchError where the two disagree."""
    if all(label.stage for label in part.labels):
        return part
    with io.os_errors(stage_file, "read"):
        text = stage_file.read_text(errors="replace")
    marks = {(label.path, label.batch_size, label.platform): label for label in parse_labels(text, str(stage_file))}
    labels = []
    for label in part.labels:
        mark = marks.get((label.path, label.batch_size, label.platform))
        if mark is not None and abs(mark.latency_ms - label.latency_ms) > 1e-3 * label.latency_ms:
            raise BenchError(f"{stage_file}: latency of {label.path!r} is not that of {part.archive}; fetch both again")
        labels.append(label if label.stage or mark is None else replace(label, stage=mark.stage))
    return replace(part, labels=tuple(labels))


def tables(parts: Sequence[Part], workers: int | None = None) -> tuple[pl.DataFrame, pl.DataFrame, dict]:
    """Graphs, targets and the graphs' metadata of all parts, in order of their labels. `workers`: default, all cores;
    with 1 everything happens in this process.

    Raises BenchError at the first model that can't be read, naming the archive and the model.
    """
    ids: dict[tuple[int, str, int], int] = {}  # (part, model, batch size) -> graph_id
    families, target_rows = [], []
    for number, part in enumerate(parts):
        for label in part.labels:
            key = number, part.base + label.path, label.batch_size
            if key not in ids:
                ids[key] = len(ids)
                families.append(label.family)
            device = DEVICES.get(label.platform, f"platform_{label.platform}")
            target_rows.append((ids[key], TARGET, device, label.batch_size, label.latency_ms, label.stage))
    networks: dict[int, Packed] = {}
    for number, part in enumerate(parts):
        batches: dict[str, list[int]] = {}
        for of_part, name, batch in ids:
            if of_part == number:
                batches.setdefault(name, []).append(batch)
        for name, batch, packed in _parse(part, batches, workers):
            networks[ids[number, name, batch]] = packed
    names = [f"{parts[n].folder}/{name.removeprefix(parts[n].base)}@{batch}" for n, name, batch in ids]
    graphs, meta = frame([networks[index] for index in range(len(ids))], names, families)
    return graphs, pl.DataFrame(target_rows, schema=schema.TARGETS, orient="row"), meta


def publish(name: str, version: str, out: Path, graphs: pl.DataFrame, targets: pl.DataFrame, meta: dict) -> None:
    """Check both tables against the canonical schemas, then put both in place."""
    stamp = {"dataset": name, "version": version}
    meta = {**stamp, **meta, **stamp}  # whatever table the graphs came from
    schema.check_graphs(graphs, meta, f"{name}: graphs")
    schema.check_targets(targets, graphs.height, f"{name}: targets")
    table_checks.publish(out, graphs, meta, targets)


def expect_stages(
    name: str, graphs: pl.DataFrame, targets: pl.DataFrame, families: Sequence[str], **counts: int
) -> None:
    """Known fact: every family of `families` has these counts of train and test labels."""
    joined = targets.join(graphs.select("graph_id", "family"), on="graph_id")
    n_labels = Counter(joined.select("family", "stage").iter_rows())
    for family in families:
        for stage, count in counts.items():
            _common.expect(name, f"{stage} labels of {family}", n_labels[family, stage], count)


def _parse(part: Part, batches: dict[str, list[int]], workers: int | None) -> Iterator[tuple[str, int, Packed]]:
    """Parse the models of a part, in archive order; a bounded number of them is in memory."""
    path = str(part.archive)
    for packed in in_order(partial(_parse_chunk, path), _chunks(part, batches), workers, path):
        yield from packed


def _chunks(part: Part, batches: dict[str, list[int]]) -> Iterator[list[tuple[str, bytes, list[int]]]]:
    """The wanted models of an archive, some at a time: name, content, batch sizes."""
    chunk: list[tuple[str, bytes, list[int]]] = []
    size = 0
    for name, content in archive.members(part.archive, batches.__contains__, archive.Limits(MAX_MODEL_BYTES)):
        if content is None:
            continue
        chunk.append((name, content, batches[name]))
        size += len(content)
        if size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _parse_chunk(path: str, chunk: list[tuple[str, bytes, list[int]]]) -> list[tuple[str, int, Packed]]:
    return [
        (name, batch, pack(read_graph(content, f"{path}: {name}", batch)))
        for name, content, sizes in chunk
        for batch in sizes
    ]
