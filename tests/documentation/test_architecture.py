"""The drawing of the architecture says what the code says."""

from __future__ import annotations

from test_package import MAY_IMPORT, SOURCE

from docs.architecture_drawing import ARROWS, BOXES, FILE, drawing

LEAVES_BY_A_DOOR = {"cli", "desktop"}
"""What lies beyond `desktop` is none of the command's: it opens a window there and knows nothing of it."""


def below(package: str) -> set[str]:
    """Packages that arrows lead to from one."""
    direct = {target for source, target, _ in ARROWS if source == package}
    return direct.union(*(below(target) for target in direct if not {package, target} <= LEAVES_BY_A_DOOR))


def test_arrows_lead_to_all_that_may_be_imported() -> None:
    for box in BOXES:
        assert below(box.name) == MAY_IMPORT[box.name] - {box.name, "demo"}


def test_every_module_in_the_drawing_is_there() -> None:
    for box in BOXES:
        for _, modules, _ in box.steps:
            for module in modules.split(", "):
                place = SOURCE / box.name / module
                assert place.is_dir() if module.endswith("/") else place.with_suffix(".py").is_file(), module


def test_the_drawing_is_the_one_in_the_documentation() -> None:
    assert FILE.read_text(encoding="utf-8") == drawing(), "draw it anew: python -m docs.architecture_drawing"
