"""The house: who may import whom, what is declared, and that importing the package costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import npe2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import napari_anoclip

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "napari_anoclip"
MODULES = sorted(SOURCE.rglob("*.py"))

# What each part of the package may import from the others: GUI and batch rest on review, review on the engine.
MAY_IMPORT = {
    "__init__": {"engine", "plugin"},
    "engine": {"engine"},
    "review": {"engine", "review"},
    "plugin": {"engine", "review", "plugin"},
    "batch": {"engine", "review", "batch"},
    "cli": {"engine", "review", "batch", "cli", "desktop"},
    "demo": {"engine", "review", "plugin"},
    "desktop": {"demo", "engine", "review", "plugin"},
}
WITH_GUI = {"plugin", "demo", "desktop"}
GUI_LIBRARIES = {"napari", "qtpy", "superqt", "magicgui", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
OPTIONAL = {"dask", "distributed", "zarr"}
"""What is imported where it is needed only."""
EXTRAS = ("distributed", "zarr")
"""Which bring it."""
QT_BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}


def imported(source: str, module: str) -> Iterator[str]:
    """Full names of the modules that a module's source imports, at the top, in functions and for types alike."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) if node.level else ""
            yield from (".".join(filter(None, [base, node.module, alias.name])) for alias in node.names)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)


def part_of(module: str) -> str:
    """The part of the package that a module of it is in: its second name."""
    return module.split(".")[1]


def wrong_imports(source: str, module: str) -> list[str]:
    """Imports that the direction of dependencies forbids."""
    part = part_of(module)
    wrong = []
    for name in imported(source, module):
        library = name.split(".")[0]
        if library == "napari_anoclip":
            target = part_of(name) if "." in name else ""
            if target in MAY_IMPORT and target not in MAY_IMPORT[part]:
                wrong.append(name)
        elif library in GUI_LIBRARIES and part not in WITH_GUI:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_dependencies_point_one_way(path: Path) -> None:
    assert not wrong_imports(path.read_text(encoding="utf-8"), module_name(path))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("napari_anoclip.engine.text", "import qtpy.QtCore"),
        ("napari_anoclip.engine.text", "def f():\n    from napari.layers import Image"),
        ("napari_anoclip.engine.text", "from napari_anoclip import review"),
        ("napari_anoclip.engine.text", "from ..review.regions import measure"),
        ("napari_anoclip.review.regions", "import napari_anoclip.plugin.results"),
        ("napari_anoclip.batch.run", "from napari_anoclip.plugin import dock"),
        ("napari_anoclip.plugin.dock", "from napari_anoclip.batch.run import run"),
    ],
)
def test_a_wrong_import_is_seen(module: str, source: str) -> None:
    assert wrong_imports(source, module)


def declared(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_what_is_imported_is_declared_and_the_other_way_round(project: dict) -> None:
    libraries = {
        name.split(".")[0] for path in MODULES for name in imported(path.read_text(encoding="utf-8"), module_name(path))
    }
    libraries -= {"napari_anoclip"} | sys.stdlib_module_names
    distributions = packages_distributions()
    used = {canonicalize_name(distributions[library][0]) for library in libraries}
    assert used - OPTIONAL == declared(project["dependencies"])
    assert used >= OPTIONAL
    assert declared([text for extra in EXTRAS for text in project["optional-dependencies"][extra]]) == OPTIONAL


def test_users_choose_their_own_qt(project: dict) -> None:
    assert not declared(project["dependencies"]) & QT_BINDINGS
    assert not any(Requirement(text).extras for text in project["dependencies"])


def test_importing_the_package_is_quick_and_pulls_in_nothing() -> None:
    program = (
        "import sys, time; start = time.perf_counter(); import napari_anoclip; "
        "print(time.perf_counter() - start, *sorted(sys.modules))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    assert min(float(seconds) for seconds, *_ in runs) <= 0.1
    assert not {"torch", "numpy", "pydantic", *GUI_LIBRARIES} & set(runs[0][1:])


@pytest.mark.parametrize("name", sorted(set(napari_anoclip.__all__) - {"__version__"}))
def test_public_names_come_on_first_use(name: str) -> None:
    from napari_anoclip import engine
    from napari_anoclip.plugin import command

    assert getattr(napari_anoclip, name) is getattr(command if name == "run" else engine, name)
    assert name in dir(napari_anoclip)


def test_an_unknown_public_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="'AnoCLOP'"):
        _ = napari_anoclip.AnoCLOP


def test_the_changelog_knows_this_version() -> None:
    assert f"\n## {napari_anoclip.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_manifest_is_valid_and_everything_it_names_exists() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(SOURCE / "napari.yaml")], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    manifest = npe2.PluginManifest.from_distribution("napari-anoclip")
    assert manifest.contributions.commands
    manifest.validate_imports()


def test_the_root_shows_the_manifest() -> None:
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == SOURCE / "napari.yaml"
