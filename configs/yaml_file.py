"""Reading a YAML file of settings' kind: what is wrong with it is one sentence, never a stack trace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from configs.errors import ConfigError


def read_mapping(path: Path, what: str, keys: str, *, named_by: str = "") -> Mapping[str, Any]:
    """Return the keys of a YAML file.

    Args:
        path: of the file. what: it is, to begin sentences with. keys: that are expected, as text.
        named_by: where the path comes from, to be told if it cannot be read.

    Raises:
        ConfigError: it cannot be read, is no YAML or holds no keys.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{what} {path}{named_by} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} {path} is not valid YAML: {error}.") from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"{what} {path} holds no keys; expected {keys}.")
    return content
