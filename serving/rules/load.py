"""Reading a rules file; what does not fit is told with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from configs.errors import ConfigError
from serving.rules.schema import Rules

LARGEST_BYTES = 1_000_000
VERSION_DIGITS = 12
EXPLAINED = "Its keys are explained in serving/rules/schema.py."


@dataclass(frozen=True)
class RuleFile:
    """Rules, and their version: hex digits of the digest of the content that they come from."""

    rules: Rules
    version: str

    def over(self, base: RuleFile) -> RuleFile:
        """Return the base's rules with each part that this file tells in the place of the base's whole part."""
        told = {name: getattr(self.rules, name) for name in self.rules.model_fields_set}
        return RuleFile(base.rules.model_copy(update=told), _version(f"{base.version} {self.version}".encode()))


def read_rules(path: Path) -> RuleFile:
    """Return the rules of a YAML file.

    Raises:
        ConfigError: it cannot be read, is no YAML or does not fit; names file, line, key, what was found and expected.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Rules file {path} cannot be read: {error.strerror}. Check the path: serving.rules, or an arm's."
        ) from None
    if len(content) > LARGEST_BYTES:
        raise ConfigError(f"Rules file {path} has {len(content):,} bytes, expected at most {LARGEST_BYTES:,}.")
    return RuleFile(_parsed(content, path), _version(content))


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]


def _parsed(content: bytes, path: Path) -> Rules:
    try:
        text = content.decode()
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(tree, yaml.MappingNode):
            raise ConfigError(
                f"Rules file {path}, line 1: found no keys, expected such as `timezone: UTC`. {EXPLAINED}"
            )
        for key in _told_twice(tree, set()):
            raise ConfigError(f"Rules file {path}, line {_line(key)}: found {key.value!r} twice, expected it once.")
        return _checked(yaml.safe_load(text), tree, path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"Rules file {path}{where}: found {error.problem}, expected valid YAML.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"Rules file {path}: expected valid YAML in UTF-8, found: {error}.") from None


def _checked(content: Any, tree: yaml.MappingNode, path: Path) -> Rules:
    try:
        return Rules.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_problem(item, tree) for item in error.errors())
        raise ConfigError(f"Rules file {path}, {problems}. {EXPLAINED}") from None


def _problem(item: Mapping[str, Any], tree: yaml.MappingNode) -> str:
    found, message = item["input"], item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    shown = f"found {found!r}" if isinstance(found, bool | int | float | str) or found is None else "found a group"
    if item["type"] == "extra_forbidden":
        shown, message = "found a key that means nothing here", "one of the known keys"
    elif item["type"] == "missing":
        shown, message = "found nothing", "a value: this key is needed"
    elif item["type"] == "value_error":
        return f"line {_line_of(item['loc'], tree)}: {_key(item['loc'])}: {message}"
    return f"line {_line_of(item['loc'], tree)}: {_key(item['loc'])}: {shown}, expected {message}"


def _key(location: tuple[str | int, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".") or "the file"


def _line_of(location: tuple[str | int, ...], tree: yaml.Node) -> int:
    """Return the line of the key that a location ends in, else of the last of its parts that the file has."""
    node, line = tree, _line(tree)
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = _line(found[0]), found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = _line(node)
        else:
            break
    return line


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _told_twice(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    """Yield keys that stand twice in one mapping, of which YAML would silently take the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if str(key.value) in names:
                yield key
            names.add(str(key.value))
            yield from _told_twice(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _told_twice(value, seen)
