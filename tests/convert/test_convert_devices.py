"""HELP's and OneProxy's devices: what is known of the real files, and files that hold anything else."""

import pickle
import shutil
import zipfile

import numpy as np
import polars as pl
import pytest

from pipeline.config import datasets
from pipeline.convert import _help, help_fbnet, help_ofa, hwnasbench, oneproxy_nasbench201
from pipeline.core.errors import BenchError
from pipeline.spaces import blocks


def torch_file(path, value):
    """`value` as `torch.save` writes it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value, 2))
    return path


def latency(tables, device, target=_help.TARGET):
    """name, value on one device."""
    graphs, targets = tables
    rows = targets.filter(target=target, device=device)
    return rows.join(graphs, on="graph_id").select("name", "value")


@pytest.mark.real_data
def test_four_devices_of_fbnet_are_sums_of_a_table_and_no_other_is(converted):
    graphs, targets = converted("help_fbnet")
    fits = {
        device: help_fbnet.additive_r2(graphs, latency((graphs, targets), device)["value"].to_numpy())
        for device in datasets.get("help_fbnet").targets["latency_ms"]
    }
    assert {device for device, r2 in fits.items() if r2 > 1 - 1e-9} == set(help_fbnet.ADDITIVE)
    assert max(r2 for device, r2 in fits.items() if device not in help_fbnet.ADDITIVE) < 0.9985


@pytest.mark.real_data
def test_blocks_of_one_stage_of_fbnet_cost_alike_but_for_the_first(converted):
    # The stages of the paper's macro-architecture are in the data: the FPGA's table repeats inside each.
    graphs, targets = converted("help_fbnet")
    op = np.array(graphs["op"].to_list())[:, 1:-1]
    kinds = [index for index, label in enumerate(blocks.VOCAB_FBNET) if label in blocks.BLOCKS_FBNET[:-1]]
    chosen = (op[:, :, None] == np.array(kinds)).reshape(len(op), -1).astype(float)
    values = latency((graphs, targets), "fpga")["value"].to_numpy()
    table = np.linalg.lstsq(chosen, values, rcond=None)[0].reshape(22, 8)
    start = 0
    for n_blocks in blocks.STAGES_FBNET:
        stage = table[start : start + n_blocks]
        if n_blocks > 1:
            assert np.allclose(stage[1:], stage[1]) and not np.allclose(stage[0], stage[1])
        start += n_blocks


@pytest.mark.real_data
@pytest.mark.parametrize("device", ["raspi4", "fpga", "eyeriss", "pixel3"])
def test_oneproxy_has_the_latencies_of_hwnasbench_and_help_for_its_cells(converted, device):
    ours = latency(converted("oneproxy_nasbench201"), device)
    theirs = latency(converted("hwnasbench"), device, "cifar10_latency_ms")
    joined = ours.join(theirs, on="name", suffix="_theirs", maintain_order="left")
    assert joined.height == 1_999
    assert joined["value"].equals(joined["value_theirs"], check_names=False)


@pytest.mark.real_data
def test_a_cell_of_oneproxy_in_another_place_is_noticed(raw, tmp_path):
    folder = tmp_path / "raw"
    shutil.copytree(raw("oneproxy_nasbench201"), folder)
    cells = pickle.loads((folder / "encode.pickle").read_bytes())  # verified by its hash
    cells[0], cells[1] = cells[1], cells[0]
    (folder / "encode.pickle").write_bytes(pickle.dumps(cells))
    with pytest.raises(BenchError, match="latencies of rice_edgegpu that are HW-NAS-Bench's is 1997, expected 1999"):
        oneproxy_nasbench201.convert(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.real_data
def test_oneproxy_keeps_one_of_two_files_that_say_the_same(converted):
    devices = set(converted("oneproxy_nasbench201")[1]["device"])
    assert "eagle_gtx" in devices and "eagle_i7" not in devices
    assert len(devices) == 27 + 11 and not any(device.startswith("rice") for device in devices)


@pytest.mark.real_data
def test_batch_sizes_are_those_of_the_files_names(converted):
    for name in ("help_fbnet", "help_ofa"):
        sizes = converted(name)[1].select("device", "batch_size").unique()
        for device, size in sizes.iter_rows():
            assert device.endswith(f"_{size}") or size == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0], "2 latencies for 3 networks"),
        ([1.0, 2.0, 3.0, 4.0], "4 latencies for 3 networks"),
        ([1.0, float("nan"), 3.0], "latency nan of network 1 is not a positive number"),
        ([1.0, 2.0, float("inf")], "latency inf of network 2 is not a positive number"),
        ([-1, 2.0, 3.0], "latency -1 of network 0 is not a positive number"),
        ([0, 2.0, 3.0], "latency 0 of network 0 is not a positive number"),
        (["1.0", 2.0, 3.0], "not a list of numbers"),
        ([True, 2.0, 3.0], "not a list of numbers"),
        ({"a": 1.0}, "not a list of numbers"),
    ],
)
def test_a_file_of_other_latencies_is_one_line_that_names_it(tmp_path, values, message):
    torch_file(tmp_path / "phone.pt", values)
    with pytest.raises(BenchError, match=rf"phone\.pt: {message}") as caught:
        _help.latencies(tmp_path, ["phone"], 3)
    assert "\n" not in str(caught.value)


def test_only_the_mark_of_a_missing_latency_may_be_negative(tmp_path):
    assert _help.checked(tmp_path / "a", [1.0, -1], 2, missing=-1) == [1.0, -1.0]
    with pytest.raises(BenchError, match=r"latency -2 of network 1"):
        _help.checked(tmp_path / "a", [1.0, -2], 2, missing=-1)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", "column fpga_energy is not one of numbers"),
        ("NaN", "fpga_energy nan of network 1 is neither"),
        ("inf", "fpga_energy inf of network 1 is neither"),
        ("-2", "fpga_energy -2.0 of network 1 is neither"),
        ("0", "fpga_energy 0.0 of network 1 is neither"),
        ("", "fpga_energy None of network 1 is neither"),
        ("1.0", "number of graphs is 3, expected 15625"),
    ],
)
def test_a_table_of_hwnasbench_with_other_costs_is_one_line(tmp_path, cell, message):
    for file in hwnasbench.FILES.values():
        rows = [f'"(0, 0, 0, 0, 0, {i})",{",".join(["1.0"] * len(hwnasbench.COLUMNS))}' for i in range(3)]
        rows[1] = f"{rows[1].rpartition(',')[0]},{cell}"
        (tmp_path / file).write_text("\n".join([",".join(["net", *hwnasbench.COLUMNS]), *rows]))
    with pytest.raises(BenchError, match=message) as caught:
        hwnasbench.convert(tmp_path, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    assert cell == "1.0" or "hw_cifar10.csv" in str(caught.value)


@pytest.mark.parametrize("value", [[], {}, 1, [[0] * 21], [[9] * 22], [[0.0] * 22], [["a"] * 22], [1]])
def test_fbnet_networks_of_another_kind_are_refused(tmp_path, value):
    torch_file(tmp_path / "arch.pt", value)
    with pytest.raises(BenchError, match=r"arch\.pt: not a list of networks"):
        help_fbnet.convert(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


OFA = {"ks": [3] * 20, "e": [6] * 20, "d": [2] * 5, "r": 128}


@pytest.mark.parametrize(
    "value",
    [[], {}, {"arch": []}, {"arch": [{}]}]
    + [{"arch": [{**OFA, **change}]} for change in ({"ks": [4] * 20}, {"e": [6] * 19}, {"d": [5] * 5}, {"r": 130})],
)
def test_ofa_networks_of_another_kind_are_refused(tmp_path, value):
    torch_file(tmp_path / "ofa_archs.pt", value)
    with pytest.raises(BenchError, match=r"ofa_archs\.pt: not networks of Once-for-all"):
        help_ofa.convert(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [[], {}, [[1] * 31], [[0] * 30 + [1]], [([1, 0, 0, 0, 0] * 6)], [1]])
def test_oneproxy_cells_of_another_kind_are_refused(tmp_path, value):
    (tmp_path / "encode.pickle").write_bytes(pickle.dumps(value))
    with pytest.raises(BenchError, match=r"encode\.pickle: "):
        oneproxy_nasbench201.convert(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_devices_of_oneproxy_are_those_of_the_registry():
    devices = datasets.get("oneproxy_nasbench201").targets["latency_ms"]
    assert set(devices) == {*oneproxy_nasbench201.OWN, *datasets.get("help_nasbench201").targets["latency_ms"]}
    assert set(hwnasbench.LATENCY_DEVICES) <= {
        f.path[5:-7] for f in datasets.get("oneproxy_nasbench201").files if "rice" in f.path
    }


def test_a_target_frame_of_devices_has_their_batch_sizes():
    rows = _help.targets({"titan_rtx_256": [1.0], "v100_64": [2.0], "pixel2": [3.0], "essential_ph_1": [4.0]})
    assert rows.select("device", "batch_size", "value").rows() == [
        ("titan_rtx_256", 256, 1.0), ("v100_64", 64, 2.0), ("pixel2", 1, 3.0), ("essential_ph_1", 1, 4.0),
    ]  # fmt: skip
    assert rows["value"].dtype == pl.Float64
