"""YAML files, read strictly: a key given twice is a mistake, where plain YAML silently keeps the last."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipeline.core.errors import BenchError


class _StrictLoader(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = []
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            keys.append(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path, remedy: str = "restore the file") -> object:
    """The content of a YAML file. Raises BenchError: not YAML, a key twice, can't be read (then: ``remedy``)."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_StrictLoader)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{path}: cannot read: {reason}; {remedy}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise BenchError(f"{path}: line {line}: {error.problem}; correct the YAML") from error
    except yaml.YAMLError as error:
        raise BenchError(f"{path}: not YAML: {' '.join(str(error).split())}; correct the file") from error
