"""config/datasets.yaml is valid, and a wrong one is refused with one line naming file and key."""

import copy
import importlib

import pytest
import yaml

from pipeline.config import datasets
from pipeline.core.errors import BenchError

KNOWN = datasets.load()


@pytest.mark.parametrize("name", KNOWN)
def test_every_data_set_has_a_converter(name):
    module = importlib.import_module(f"pipeline.convert.{name}")
    assert name == module.NAME
    assert callable(module.convert) and callable(module.sanity)
    assert module.__doc__


@pytest.mark.parametrize("name", KNOWN)
def test_every_file_has_a_place_to_come_from(name):
    for file in KNOWN[name].files:
        assert file.pypi or all(url.startswith("https://") and " " not in url for url in file.urls)
        assert file.pypi or file.urls
        assert file.mirror and file.mirror.endswith(file.path)


def test_only_the_test_set_is_synthetic_and_it_has_no_files():
    assert [name for name, dataset in KNOWN.items() if dataset.synthetic] == ["synthetic201"]
    assert KNOWN["synthetic201"].files == ()


def test_the_registered_facts():
    assert KNOWN["nasbench201"].n_graphs == 15_625
    assert KNOWN["hwnasbench"].targets["cifar100_energy_mj"] == ("edgegpu", "eyeriss", "fpga")
    assert len(KNOWN["help_nasbench201"].targets["latency_ms"]) == 27
    assert [file.path for file in KNOWN["nnlqp_unseen"].files if file.sha256] == ["gt_stage.txt"]
    assert len(KNOWN["nnlqp_unseen"].families) == 10
    assert len(KNOWN["nnlqp_multi"].targets["latency_ms"]) == 9
    assert KNOWN["analognas201"].files[0].pypi.member == "analognasbench/data.anb"
    assert (
        KNOWN["nasbench101_cec"]
        .files[0]
        .urls[0]
        .endswith("/Source%20code%20of%20entries/EABSM-NAS/c10mop2/train_data_50000.pkl")
    )


def test_naming_an_identity_operation_makes_no_data_again():
    """The workflow makes a data set again when its repr changes; a measured one would be timed anew."""
    assert datasets.get("nasbench201").identity == ("skip_connect",) and datasets.get("nasbench101").identity == ()
    assert "identity" not in repr(datasets.get("nasbench201"))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(BenchError, match="no data set 'x'; known: analognas201, "):
        datasets.get("x")


def changed(path, value):
    """The blocks of the real file with the key at `path` set to `value`, or removed if it is None."""
    blocks = copy.deepcopy(yaml.safe_load(datasets.CONFIG.read_text()))
    place = blocks
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return yaml.safe_dump(blocks, sort_keys=False)


SOURCE = ("nasbench201", "sources", 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nasbench201", "unknown_key"), 1),
        (("nasbench201", "version"), None),
        (("nasbench201", "version"), 1),
        (("nasbench201", "n_graphs"), 0),
        (("nasbench201", "targets"), {}),
        (("nasbench201", "targets", "val_acc", "devices"), []),
        (("nasbench201", "targets", "latency"), {"devices": ["x"]}),
        (("nasbench201", "test_fraction"), 1.0),
        ((*SOURCE, "urls"), ["http://example.org/"]),
        ((*SOURCE, "urls"), ["https://example.org/x"]),
        ((*SOURCE, "urls"), None),
        ((*SOURCE, "licence"), None),
        ((*SOURCE, "mirror"), "../outside"),
        ((*SOURCE, "mirror"), "/outside"),
        ((*SOURCE, "files", "../x"), {"bytes": 1, "sha256": "0" * 64}),
        ((*SOURCE, "files", "a/../x"), {"bytes": 1, "sha256": "0" * 64}),
        ((*SOURCE, "files", "x"), {"bytes": 1, "sha256": "0" * 63}),
        ((*SOURCE, "files", "x"), {"bytes": 1, "sha256": "0" * 64, "member": "m"}),
        ((*SOURCE, "files", "x"), {"bytes": 1, "sha256": None}),
        ((*SOURCE, "files", "x"), {"bytes": None, "sha256": "0" * 64}),
        (("analognas201", "sources", 0, "files", "x"), {"bytes": None, "sha256": None, "member": "m"}),
        (("nasbench201", "test_fraction"), 0),
        (("analognas201", "sources", 0, "files", "data.anb", "member"), None),
        (("analognas201", "sources", 0, "pypi", "package"), "--index-url"),
        (("analognas201", "sources", 0, "pypi", "package"), "name\n"),
        (("analognas201", "sources", 0, "pypi", "version"), "1.0\n"),
        (("nasbench201\n",), {}),
        (("nasbench201", "targets", "latency_ms\n"), {"devices": ["x"]}),
        (("nasbench201", "targets", "val_acc", "devices"), ["any\n"]),
        (("nasbench201", "families"), ["a", "b\n"]),
        (("timm_latency", "reruns", "vim3"), "vim4"),
        (("timm_latency", "reruns", "vim3"), ["vim3"]),
        ((*SOURCE, "urls"), ["https://example.org/\n"]),
        ((*SOURCE, "files", "x\n"), {"bytes": 1, "sha256": "0" * 64}),
        ((*SOURCE, "files", "x"), {"bytes": 1, "sha256": "0" * 64 + "\n"}),
    ],
)
def test_a_wrong_key_is_refused(tmp_path, path, value):
    file = tmp_path / "datasets.yaml"
    file.write_text(changed(path, value))
    with pytest.raises(BenchError, match=r"datasets\.yaml: ") as caught:
        datasets.load(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [1", "", "- 1", "a: 1"])
def test_a_file_that_is_not_a_mapping_of_data_sets_is_refused(tmp_path, text):
    file = tmp_path / "datasets.yaml"
    file.write_text(text)
    with pytest.raises(BenchError, match=r"datasets\.yaml: "):
        datasets.load(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"none\.yaml: cannot read"):
        datasets.load(tmp_path / "none.yaml")


def test_a_data_set_given_twice_is_refused(tmp_path):
    file = tmp_path / "datasets.yaml"
    file.write_text(changed(("nasbench201", "test_fraction"), 0.1) + "nasbench201: {}\n")
    with pytest.raises(BenchError, match=r"datasets\.yaml: line \d+: duplicate key 'nasbench201'"):
        datasets.load(file)
