"""One line of a table of figures. No torch here: what its first import costs is measured."""

from __future__ import annotations


def line(name: str, value: float, target: float, remark: str) -> None:
    print(f"| {name} | {value:.4f} | ≤ {target:g} | {'yes' if value <= target else 'NO'} | {remark} |", flush=True)
