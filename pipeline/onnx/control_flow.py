"""Graphs inside nodes: what they read of the graph around them, and copies of them with other names.

If, Loop and Scan whose condition and number of rounds are constants are written out as plain nodes; the others are
refused.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from pipeline.onnx.model import MAX_FILE_NODES, Loaded, Node

CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that stand in the attributes of a node."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def made_inside(graph: onnx.GraphProto) -> set[str]:
    """Names that a graph gives to its own inputs, weights and results."""
    names = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    names |= {sparse.values.name for sparse in graph.sparse_initializer}
    return names.union(*(node.output for node in graph.node))


def read_outside(graph: onnx.GraphProto) -> dict[str, None]:
    """Names that a graph reads and does not make, in order."""
    own = made_inside(graph)
    read: dict[str, None] = {}
    for node in graph.node:
        read |= dict.fromkeys(node.input)
        for inner in subgraphs(node):
            read |= read_outside(inner)
    read |= dict.fromkeys(value.name for value in graph.output)
    return {name: None for name in read if name and name not in own}


def node_of(proto: onnx.NodeProto) -> Node:
    """The node of a message; see `Node` for what it reads."""
    inputs = tuple(proto.input)
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in proto.attribute):
        outside = [name for graph in subgraphs(proto) for name in read_outside(graph)]
        inputs += tuple(dict.fromkeys(outside))
    return Node(proto.op_type, inputs, tuple(proto.output), proto)


def renamed(proto: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy of a node that reads and writes the names that `names` gives to its own."""
    copy = onnx.NodeProto()
    copy.CopyFrom(proto)
    _rename(copy, names)
    return copy


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    for graph in subgraphs(node):
        own = made_inside(graph)
        outer = {name: new for name, new in names.items() if name not in own}
        for inner in graph.node:
            _rename(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)


def settings_of(proto: onnx.NodeProto) -> dict[str, object]:
    """The attributes of a node as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}


class WrittenOut(ABC):
    """A walk over nodes that writes control flow out where its course is constant.

    `nodes`: those visited so far; `alias`: names of results of control flow that other nodes make.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded, self.nodes = loaded, []
        self.shapes, self.values = loaded.shapes, loaded.values
        self.alias: dict[str, str] = {}
        self.copied = len(loaded.nodes)

    @abstractmethod
    def visit(self, node: Node) -> None:
        """Take in the next node."""

    @abstractmethod
    def know_value(self, name: str, value: np.ndarray) -> None:
        """Note the value of a constant."""

    @abstractmethod
    def keep_value(self, name: str, tensor: onnx.TensorProto) -> None:
        """Note a weight."""

    def expand(self, node: Node) -> bool:
        """Write a node of control flow out, where its course is constant; whether it was."""
        settings = {attribute.name: attribute.g for attribute in node.proto.attribute}
        if node.op == "If":
            condition = self.values.get(node.proto.input[0])
            if condition is None or condition.size != 1:
                return False
            results = self.inline(settings["then_branch" if condition.item() else "else_branch"], {})
        else:
            results = self.loop(node, settings["body"]) if node.op == "Loop" else self.scan(node, settings["body"])
        self.alias |= zip(node.proto.output, results or (), strict=False)
        return results is not None

    def inline(self, graph: onnx.GraphProto, given: dict[str, str]) -> list[str]:
        """Visit the nodes of an inner graph under new names; `given` names its inputs. Returns names of its outputs."""
        self.copied += 1 + len(graph.node)
        if self.copied > MAX_FILE_NODES:
            self.loaded.refuse(
                f"its loops, written out, have over {MAX_FILE_NODES:,} nodes", "export without control flow"
            )
        prefix = f"{self.copied}/"
        names = {name: prefix + name for name in made_inside(graph) if name} | given
        for tensor in graph.initializer:
            self.loaded.weights[names[tensor.name]] = tensor
            self.keep_value(names[tensor.name], tensor)
        for proto in graph.node:
            self.visit(node_of(renamed(proto, names)))
        made = [names.get(value.name, value.name) for value in graph.output]
        return [self.alias.get(name, name) for name in made]

    def loop(self, node: Node, body: onnx.GraphProto) -> list[str] | None:
        """The results of a Loop whose number of rounds is constant; None for another."""
        trips, condition = (self.values.get(name) if name else True for name in [*node.proto.input, "", ""][:2])
        if trips is None or condition is None:
            return None
        limit = math.inf if trips is True else trips.item()
        carried, rounds, going = list(node.proto.input[2:]), 0, bool(condition)
        stacks: list[list[str]] = [[] for _ in body.output[1 + len(carried) :]]
        while going and rounds < limit:
            given = [self.literal(np.array(rounds)), self.literal(np.array(True)), *carried]
            made = self.inline(body, dict(zip([value.name for value in body.input], given, strict=False)))
            if made[0] not in self.values:
                self.loaded.refuse(f"Loop ({node.outputs[0]!r}) ends by data", "export without control flow")
            going, rounds = bool(self.values[made[0]]), rounds + 1
            for stack, name in zip(stacks, made[1 + len(carried) :], strict=True):
                stack.append(name)
            carried = made[1 : 1 + len(carried)]
        return [*carried, *(self.stacked(stack, 0) for stack in stacks)]

    def scan(self, node: Node, body: onnx.GraphProto) -> list[str] | None:
        """The results of a Scan, one round an entry of what it scans; None where that is not known."""
        settings, inputs = settings_of(node.proto), list(node.proto.input)
        count = int(settings.get("num_scan_inputs", 0))
        states, scanned = inputs[: len(inputs) - count], inputs[len(inputs) - count :]
        axes = settings.get("scan_input_axes") or [0] * count
        backwards = settings.get("scan_input_directions") or [0] * count
        shapes = [self.shapes.get(name, ()) for name in scanned]
        if not count or self.loaded.opset < 9 or any(len(s) <= a for s, a in zip(shapes, axes, strict=True)):
            return None
        length = shapes[0][axes[0]]
        stacks: list[list[str]] = [[] for _ in body.output[len(states) :]]
        for step in range(length):
            places = [self.literal(np.array(length - 1 - step if back else step)) for back in backwards]
            parts = [
                self.add("Gather", [name, place], axis=axis)
                for name, place, axis in zip(scanned, places, axes, strict=True)
            ]
            made = self.inline(body, dict(zip([v.name for v in body.input], [*states, *parts], strict=False)))
            states = made[: len(states)]
            for stack, name in zip(stacks, made[len(states) :], strict=True):
                stack.append(name)
        out = settings.get("scan_output_axes") or [0] * len(stacks)
        turned = settings.get("scan_output_directions") or [0] * len(stacks)
        stacks = [stack[::-1] if back else stack for stack, back in zip(stacks, turned, strict=True)]
        return [*states, *(self.stacked(stack, axis) for stack, axis in zip(stacks, out, strict=True))]

    def literal(self, value: np.ndarray) -> str:
        """The name of a new constant."""
        name = f"{self.copied}/{len(self.values)}/literal"
        self.loaded.weights[name] = numpy_helper.from_array(value, name)
        self.know_value(name, value)
        return name

    def add(self, op: str, inputs: list[str], **attributes: object) -> str:
        """The output of a new node."""
        name = f"{self.copied}/{len(self.nodes)}/{op}"
        self.visit(node_of(helper.make_node(op, inputs, [name], **attributes)))
        return name

    def stacked(self, names: list[str], axis: int) -> str:
        """The name of a tensor that holds others along a new axis."""
        if not names:
            return ""
        if self.loaded.opset < 13:
            rows = [self.add("Unsqueeze", [name], axes=[axis]) for name in names]
        else:
            where = self.literal(np.array([axis]))
            rows = [self.add("Unsqueeze", [name, where]) for name in names]
        return self.add("Concat", rows, axis=axis)
