"""Imports the API client for half the cpu: what its packages export is found on first use.

`import anthropic` loads every type of the API, and a run needs few. Nearly all of that is lines
like `from .message import Message` in some `__init__.py`. They run as they are, from Python's own
byte-code, but with an import that only notes where a name is; the package's `__getattr__` finds
it later. Whatever is unlike what was tried means the plain import: slower and always right.
"""

import builtins
import importlib
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

TRIED = {"2.12", "2.13", "2.14"}
PLAIN = {
    "anthropic._vendor.httpx_aiohttp",  # the client learns from its import what is not installed
    "anthropic.lib.streaming",  # pydantic keeps what it makes here only where locals are globals
}
one_at_a_time = threading.Lock()


def load(*needed: str) -> None:
    """Import the client and find these of its names: lazily, or else plainly."""
    with one_at_a_time:
        if "anthropic" not in sys.modules and is_tried():
            sys.meta_path.insert(0, Finder)
            try:
                return find_all(needed)
            except Exception:
                # Another list: an import in another thread is going through the old one.
                sys.meta_path = [finder for finder in sys.meta_path if finder is not Finder]
                for name in filter(is_inside, [*sys.modules]):
                    del sys.modules[name]
        find_all(needed)


def find_all(names: Sequence[str]) -> None:
    for name in names:
        module, _, attribute = f"anthropic.{name}".rpartition(".")
        getattr(importlib.import_module(module), attribute)


def is_tried() -> bool:
    spec = PathFinder.find_spec("anthropic")
    if os.environ.get("AGENTCLI_LAZY_SDK") == "0" or spec is None or spec.origin is None:
        return False
    with suppress(OSError, ValueError):
        text = Path(spec.origin).with_name("_version.py").read_text("utf-8")
        found = re.search(r'__version__ = "(\d+\.\d+)\.', text)
        return found is not None and found[1] in TRIED
    return False


def is_inside(module: str) -> bool:
    return module.partition(".")[0] == "anthropic"


class Finder:
    """Has the client's packages loaded here. It stays, for those that come later."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not is_inside(name) or name in PLAIN:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.submodule_search_locations and type(spec.loader) is SourceFileLoader:
            spec.loader = PackageLoader(name, spec.loader.path)
        return spec


class PackageLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        if code is None or any(isinstance(const, CodeType) for const in code.co_consts):
            # A function sees the names that are in the module, and some would not be.
            return super().exec_module(module)
        names, own = Names(module), vars(module)
        own["__getattr__"], own["__dir__"] = names.find, names.all
        own["__builtins__"] = {**vars(builtins), "__import__": import_later}
        exec(code, own, cast("dict[str, object]", names))  # it takes whatever has items
        own["__builtins__"] = vars(builtins)


class Later:
    """An exported name that nobody has used yet."""

    def __init__(self, module: str, name: str) -> None:
        self._at = module, name

    def find(self) -> Any:
        value = getattr(importlib.import_module(self._at[0]), self._at[1])
        # The client's last lines write to all that it exports: "your module is anthropic".
        if (written := vars(self).get("__module__")) is not None:
            with suppress(AttributeError, TypeError):
                value.__module__ = written
        return value


class Names:
    """The names of a package for its own lines: to use one is to find it."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.real = module, vars(module)
        self.later: dict[str, Later] = {}

    def __getitem__(self, name: str) -> Any:
        if name == "locals":  # the client's last lines: what is taken out of this is not used
            return lambda: {**self.real, **self.later}
        return self.find(name) if name in self.later else self.real[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.later.pop(name, None)
        self.real.pop(name, None)
        if isinstance(value, Later):
            self.later[name] = value
        else:
            self.real[name] = value

    def find(self, name: str) -> Any:
        """Return a value, as the module's `__getattr__`. Two threads at once find the same one."""
        if name not in self.later:
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}")
        self.real[name] = value = self.later[name].find()
        return value

    def all(self) -> list[str]:
        return sorted({*self.real, *self.later})


class Source:
    """Stands in for a module that names are taken from."""

    def __init__(self, module: str, names: Sequence[str]) -> None:
        self._module, self.__all__ = module, names

    def __getattr__(self, name: str) -> Later:
        return Later(self._module, name)


def import_later(
    name: str, globals: Mapping[str, object], names: object, wanted: Sequence[str], level: int
) -> Any:
    """Stand in for `__import__` in a package's lines. Only `from .x import y` can wait."""
    if not (level and name and isinstance(names, Names)):
        return builtins.__import__(name, globals, None, wanted, level)
    module = resolve_name("." * level + name, names.module.__name__)
    exported: Sequence[str] = ()
    if "*" in wanted:
        known = importlib.import_module(module)
        exported = getattr(known, "__all__", [n for n in dir(known) if n[0] != "_"])
    return Source(module, exported)
