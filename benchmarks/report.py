"""Tables of figures. No torch here: what its first import costs is measured."""

from __future__ import annotations


def heading(*titles: str) -> None:
    """Begin a table: what is measured, and what stands last in its lines."""
    first, last = titles
    print(f"| {first} | measured | target | met | {last} |\n|---|---|---|---|---|", flush=True)


def line(name: str, value: float, target: float, remark: str) -> None:
    print(f"| {name} | {value:.4f} | ≤ {target:g} | {'yes' if value <= target else 'NO'} | {remark} |", flush=True)
