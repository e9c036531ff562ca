"""The rules that a dossier carries: the very files that judged it, with all that they import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from billing.dossier.verify import rules_digest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("billing.policies", "billing.rules.dossier.checking", "billing.rules.dossier.following")


def carried() -> dict[str, bytes]:
    """Path and content of each file, by path. They need nothing but Python's standard library."""
    policies = [f"billing.policies.{one.stem}" for one in sorted((ROOT / "billing" / "policies").glob("[!_]*.py"))]
    found: dict[str, bytes] = {}
    waiting = [*NEEDED, *policies]
    while waiting:
        module = waiting.pop()
        file = _file(module)
        if file is None or str(file) in found:
            continue
        content = (ROOT / file).read_bytes()
        found[str(file)] = content
        waiting += [module.rpartition(".")[0], *_imports(content)]
    return dict(sorted(found.items()))


@cache
def digest_carried() -> str:
    """What ``verify.py --rules`` compares."""
    return rules_digest(carried())


def _file(module: str) -> Path | None:
    """Where a module of ours is; nothing for any other."""
    path = Path(*module.split(".")) if module else Path("nothing")
    return next((one for one in (path / "__init__.py", path.with_suffix(".py")) if (ROOT / one).is_file()), None)


def _imports(content: bytes) -> Iterator[str]:
    for statement in ast.parse(content).body:
        if isinstance(statement, ast.Import):
            yield from (one.name for one in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{one.name}" for one in statement.names)
