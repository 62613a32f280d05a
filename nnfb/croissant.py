"""Croissant metadata (JSON-LD, version 1.0 of the format) of a data set's two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.config import datasets
from pipeline.core import io

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "md5": "cr:md5",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "repeated": "cr:repeated",
    "source": "cr:source",
}
TABLES = ("graphs", "targets")
ABOUT = {
    "graph_id": "number of the network, the same in both tables",
    "name": "name of the network in its source",
    "family": "family or search space of the network",
    "iso": "hash of its isomorphism class",
    "n_nodes": "number of nodes",
    "op": "operation of each node, as a place in op_vocab of the file's metadata; nodes in topological order",
    "src": "first node of each edge, along the data",
    "dst": "second node of each edge",
    "attrs": "attributes of each node, row by row; their names are in the file's metadata",
    "out_shape": "shape of each node's output, row by row",
    "flops": "floating-point operations",
    "macs": "multiply-accumulate operations",
    "params": "learned numbers",
    "target": "which label; its unit is in the name, accuracies are in percent",
    "device": "device of a cost; any for accuracies",
    "batch_size": "batch size of the label",
    "value": "the label",
    "stage": "the source's own mark of training and test networks",
    "faulty": "a reading that cannot be, by the rule of the data card",
    "tag": "the source's word for how the network was trained",
}


def metadata(about: datasets.Dataset, folder: Path) -> dict[str, Any]:
    """The metadata of graphs.parquet and targets.parquet in `folder`, sizes and SHA-256 as they are there.

    Raises BenchError: a table is not readable.
    """
    files = {name: folder / f"{name}.parquet" for name in TABLES}
    frames = {name: io.read_parquet(path) for name, path in files.items()}
    licences = sorted({file.licence for file in about.files})
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.name,
        "description": f"{about.description}." + (" MADE-UP LABELS, for tests only." if about.synthetic else ""),
        "version": f"{about.version}.0.0",
        "citeAs": about.citation,
        "license": "; ".join(licences) or "MIT",
        "url": "https://arxiv.org/abs/2507.00880",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{name}.parquet",
                "name": f"{name}.parquet",
                "contentUrl": f"{name}.parquet",
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": "application/x-parquet",
                "sha256": io.file_sha256(path),
            }
            for name, path in files.items()
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": name,
                "name": name,
                "field": [_field(name, column, kind) for column, kind in frames[name].schema.items()],
            }
            for name in TABLES
        ],
    }


def _field(table: str, column: str, kind: pl.DataType) -> dict[str, Any]:
    is_list = isinstance(kind, pl.List)
    inner: Any = kind.inner if isinstance(kind, pl.List) else kind
    words = {pl.String: "sc:Text", pl.Boolean: "sc:Boolean"}
    data_type = words.get(type(inner), "sc:Float" if inner.is_float() else "sc:Integer")
    made: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table}/{column}",
        "name": column,
        "description": ABOUT[column],
        "dataType": data_type,
        "source": {"fileObject": {"@id": f"{table}.parquet"}, "extract": {"column": column}},
    }
    if is_list:
        made["repeated"] = True
    if (table, column) == ("targets", "graph_id"):
        made["references"] = {"field": {"@id": "graphs/graph_id"}}
    return made
