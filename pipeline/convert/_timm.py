"""timm's benchmark tables, and its modules in lineages: shared by the data sets of its networks."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from pipeline.config import datasets
from pipeline.convert import _common
from pipeline.core import io
from pipeline.core.errors import BenchError
from pipeline.core.paths import ROOT
from pipeline.export.files import DEPLOYED

# A lineage: modules of timm whose networks grew out of one another, so that one left out is unlike what is left.
LINEAGES = {
    "resnet": "resnet resnetv2 res2net resnest senet sknet tresnet nfnet",
    "dense": "densenet dla dpn vovnet hrnet cspnet hgnet rdnet selecsls",
    "inception": "inception_v3 inception_v4 inception_resnet_v2 xception xception_aligned nasnet pnasnet",
    "regnet": "regnet byobnet byoanet",
    "efficientnet": "efficientnet hardcorenas rexnet",
    "mobilenet": "mobilenetv3 mobilenetv5 ghostnet repghost starnet fasternet",
    "convnext": "convnext inception_next mambaout convmixer focalnet",
    "vit": "vision_transformer vision_transformer_relpos vision_transformer_sam naflexvit deit beit eva",
    "vit_variant": "cait tnt convit volo xcit vitamin crossvit",
    "swin": "swin_transformer swin_transformer_v2 swin_transformer_v2_cr twins nest gcvit davit",
    "pyramid": "pvt_v2 mvitv2 hiera hieradet_sam2 pit coat",
    "maxvit": "maxxvit",
    "metaformer": "metaformer mlp_mixer sequencer",
    "hybrid": "vision_transformer_hybrid levit visformer nextvit tiny_vit efficientvit_mit efficientvit_msra csatv2",
    "mobile_hybrid": "mobilevit efficientformer efficientformer_v2 edgenext swiftformer shvit repvit fastvit",
}
LINEAGE_OF = {module: lineage for lineage, modules in LINEAGES.items() for module in modules.split()}
NETWORKS = ROOT / "data/kept/timm_latency"  # graphs come with the clone: making them takes timm and an hour
COLUMNS = ("model", "infer_img_size", "infer_batch_size", "infer_step_time", "param_count")
FILE = re.compile(
    r"benchmark-infer-(?P<precision>[a-z0-9_]+)-(?P<layout>nchw|nhwc)-pt(?P<torch>\d+)-(?:cpu|cu\d+)-(?P<chip>[a-z0-9_]+)"
    r"(?P<compiled>-dynamo)?\.csv"
)
GMACS = "infer_gmacs"
WITHOUT_GMACS = ("210", "221")  # versions of torch whose tables leave out fused attention, or have none
AS_DEPLOYED = 291  # from this version of torch on, the tables time networks with their branches merged


def device_of(file: str) -> str:
    """The platform of a table: chip, precision, layout, eager or compiled, version of torch, with `_` between."""
    parts = _parts(file)
    chip = parts["chip"] if parts["chip"][0] in "irp" else f"rtx{parts['chip']}"
    return "_".join(
        (chip, parts["precision"], parts["layout"], "dynamo" if parts["compiled"] else "eager", f"pt{parts['torch']}")
    )


def read_table(path: Path, graphs: set[str]) -> pl.DataFrame:
    """name (of one of `graphs`), batch_size, step_ms, params_m, gmacs of every row of a table that has a graph.

    GMACs are null where the table has none of use. Raises BenchError when the table is not one of timm's.
    """
    without = _parts(path.name)["torch"] in WITHOUT_GMACS
    rows = _common.read_csv(path, COLUMNS if without else (*COLUMNS, GMACS))
    rows = rows.with_columns(pl.lit(None).alias(GMACS)) if without else rows
    rows = rows.select(
        pl.concat_str("model", pl.lit("@"), pl.col("infer_img_size").cast(pl.Int64)).alias("name"),
        batch_size=pl.col("infer_batch_size").cast(pl.UInt16),
        step_ms=pl.col("infer_step_time").cast(pl.Float64),
        params_m=pl.col("param_count").cast(pl.Float64),
        gmacs=pl.col(GMACS).cast(pl.Float64),
    )
    if int(_parts(path.name)["torch"]) >= AS_DEPLOYED:
        deployed = pl.col("name") + DEPLOYED
        rows = rows.with_columns(name=pl.when(deployed.is_in(sorted(graphs))).then(deployed).otherwise("name"))
    return rows.filter(pl.col("name").is_in(sorted(graphs)))


def read_networks(folder: Path) -> tuple[pl.DataFrame, dict, pl.DataFrame]:
    """The table of graphs that `pipeline.export.run` wrote, its metadata, and the list beside it."""
    path = folder / "networks.parquet"
    listing = _common.read_csv(path.with_suffix(".csv"), ["name", "module", "params", "buffers", "message"])
    return io.read_parquet(path), io.read_meta(path), listing


def with_labels(graphs: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """Those of `graphs` that `names` has, numbered, with their lineage as family."""
    graphs = graphs.filter(pl.col("name").is_in(names.implode()))
    return graphs.with_columns(
        graph_id=pl.int_range(graphs.height, dtype=pl.UInt32), family=pl.Series(lineages(graphs["family"]))
    )


def expect_networks(name: str, graphs: pl.DataFrame) -> None:
    """Known facts of the data set `name`: how many networks, and of which lineages."""
    dataset = datasets.get(name)
    _common.expect(name, "number of graphs", graphs.height, dataset.n_graphs)
    _common.expect(name, "lineages", set(graphs["family"]), set(dataset.families))


def lineages(modules: pl.Series) -> list[str]:
    """The lineage of each module. Raises BenchError naming one that has none."""
    unknown = sorted(set(modules) - LINEAGE_OF.keys())
    if unknown:
        raise BenchError(f"timm's module {unknown[0]!r} is in no lineage; give it one in {Path(__file__).name}")
    return [LINEAGE_OF[module] for module in modules]


def _parts(file: str) -> dict[str, str | None]:
    found = FILE.fullmatch(file)
    if not found:
        raise BenchError(f"{file}: not the name of a benchmark table of timm; fetch the data set again")
    return found.groupdict()
