"""YAML files, read strictly: plain values only, no key twice, and nothing that takes long or much memory.

Plain YAML silently keeps the last of two keys, makes dates and numbers of words that are none, and lets a file of a few
lines stand for any amount of values.
"""

from __future__ import annotations

import math
from pathlib import Path

import yaml
from yaml.constructor import ConstructorError

from pipeline.core.errors import BenchError

MAX_BYTES = 2**18  # the largest file of config/ has 15 kB
MAX_VALUES = 20_000  # aliases count as what they stand for
LETTERS = 100  # of a text that count as one more value
MAX_DEPTH = 30
MAX_NUMBER = 40  # characters
LONGEST = 200  # characters of a message of the YAML reader, which may quote the file
PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map"))


class _StrictLoader(yaml.SafeLoader):
    """Refuses as it reads, so that nothing large is ever built."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth, self.values = 0, 0
        self.sizes: dict[str, int] = {}  # values behind each anchor that has been read to its end

    def compose_node(self, parent, index):
        event = self.peek_event()
        before, anchor = self.values, event.anchor
        if isinstance(event, yaml.AliasEvent):
            if anchor in self.anchors and anchor not in self.sizes:
                raise ConstructorError(None, None, f"*{anchor} stands for itself", event.start_mark)
            self._count(self.sizes.get(anchor, 0), event)
            return super().compose_node(parent, index)
        self._count(1 + len(getattr(event, "value", "")) // LETTERS, event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ConstructorError(None, None, f"nested over {MAX_DEPTH} deep", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if anchor is not None:
            self.sizes[anchor] = self.values - before
        if node.tag not in PLAIN:
            kind = node.tag.rpartition(":")[2]
            raise ConstructorError(None, None, f"{kind} is no plain value; write text in quotes", event.start_mark)
        return node

    def _count(self, values: int, event: yaml.Event) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            raise ConstructorError(None, None, f"over {MAX_VALUES:,} values", event.start_mark)

    def construct_mapping(self, node, deep=False):
        keys = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):  # of numbers, many can be made that a dictionary takes for ever to tell apart
                raise ConstructorError(None, None, "a key is no text; put it in quotes", key_node.start_mark)
            if key in keys:
                raise ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            keys.add(key)
        return super().construct_mapping(node, deep)

    def construct_number(self, node):
        """A whole number or a finite one."""
        try:
            if len(node.value) > MAX_NUMBER:
                raise ValueError
            whole = node.tag.endswith(":int")
            number = self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)
            if not math.isfinite(number):
                raise ValueError
        except (ValueError, OverflowError):
            what = f"{node.value[:MAX_NUMBER]} is no finite number of at most {MAX_NUMBER} characters"
            raise ConstructorError(None, None, what, node.start_mark) from None
        return number

    def construct_text(self, node):
        """Text that can be written down and handed to a program."""
        text = self.construct_scalar(node)
        if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
            raise ConstructorError(None, None, "text with a NUL or half a character", node.start_mark)
        return text


_StrictLoader.add_constructor("tag:yaml.org,2002:str", _StrictLoader.construct_text)
for _name in ("int", "float"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_name}", _StrictLoader.construct_number)


def read_yaml(path: str | Path, remedy: str = "restore the file") -> object:
    """The content of a YAML file: text, finite numbers, true, false, null, lists, and mappings of text to these.

    Raises BenchError: not YAML, a key twice, anything else or too much of it, can't be read (then: ``remedy``).
    """
    text = _read(Path(path), remedy)
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise BenchError(f"{path}: line {line}: {str(error.problem)[:LONGEST]}; correct the YAML") from error
    except (yaml.YAMLError, ValueError, TypeError, LookupError) as error:
        raise BenchError(f"{path}: not YAML: {' '.join(str(error).split())[:LONGEST]}; correct the file") from error


def _read(path: Path, remedy: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise BenchError(f"{path}: cannot read: not a plain file; {remedy}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise BenchError(f"{path}: larger than {MAX_BYTES:,} bytes; split it, or correct the file")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:  # ValueError: a path that can be none
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{path}: cannot read: {reason}; {remedy}") from error
