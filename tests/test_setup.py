"""scripts/setup.sh on machines that lack something: it says what in one sentence, and touches nothing else.

The script runs in an empty project with a PATH that holds only what each test puts there, so it can neither see nor
change this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ["awk", "cat", "cksum", "dirname", "find", "head", "mkdir", "rm", "tr", "uname"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="system libraries are looked for on Linux only")


class Machine:
    """A made-up machine: a project folder and the commands on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        (self.project / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup.sh", self.project / "scripts")
        (self.project / "pyproject.toml").write_text("[project]\n")
        for tool in TOOLS:  # not links: a test that replaces one would write through to the real thing
            self.command(tool, f'exec {shutil.which(tool)} "$@"')
        fonts = folder / "home" / ".fonts"
        fonts.mkdir(parents=True)
        (fonts / "some.ttf").touch()
        self.environment = {"PATH": str(self.bin), "HOME": str(folder / "home"), "TMPDIR": str(folder), "DISPLAY": ":0"}
        self.command("df", "echo header; echo disk 100000000 1 99000000 1% /")
        self.command("id", "echo 1000")
        self.command("ldconfig", f"cat {folder / 'libraries'}")
        self.libraries = folder / "libraries"
        self.libraries.write_text("".join(f"\t{name} (libc6) => somewhere\n" for name in needed_libraries()))

    def command(self, name: str, script: str, folder: Path | None = None) -> None:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
        path.chmod(0o755)

    def python(self, version: str, *, folder: Path | None = None, pip: str = "true") -> None:
        """An interpreter that passes the version check or not, and writes down what it is asked to do."""
        new_enough = tuple(map(int, version.split("."))) >= (3, 11)
        self.command(
            "python3" if folder is None else "python",
            f'case "$*" in\n'
            f"--version) echo Python {version};;\n"
            f"*version_info*exit*|*exit*version_info*) {'true' if new_enough else 'false'};;\n"
            f'*pip*) echo pip "$*" >>{self.calls}; {pip};;\n'
            f'*) echo "$*" >>{self.calls};;\n'
            f"esac",
            folder,
        )

    @property
    def calls(self) -> Path:
        return self.bin.parent / "calls"

    @property
    def called(self) -> str:
        return self.calls.read_text() if self.calls.exists() else ""

    @property
    def environment_folder(self) -> Path:
        return self.project / ".venv" / "bin"

    def lose(self, library: str) -> None:
        rest = [line for line in self.libraries.read_text().splitlines(keepends=True) if f"\t{library} " not in line]
        self.libraries.write_text("".join(rest))

    def setup(self) -> subprocess.CompletedProcess:
        return subprocess.run(
            [shutil.which("sh"), self.project / "scripts" / "setup.sh"],
            env=self.environment,
            cwd=self.bin.parent,
            capture_output=True,
            text=True,
        )

    def refused(self) -> str:
        """What set-up says when it gives up."""
        run = self.setup()
        assert run.returncode == 1, run
        (sentence,) = run.stderr.splitlines()
        return sentence


def needed_libraries() -> list[str]:
    """The libraries in the script's own table, and software OpenGL."""
    script = (ROOT / "scripts" / "setup.sh").read_text()
    table = script.split('QT_LIBRARIES="')[1].split('"')[0]
    return [*table.split()[::2], "libGLX_mesa.so.0"]


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """Nothing installed yet."""
    return Machine(tmp_path)


@pytest.fixture
def ready(bare: Machine) -> Machine:
    """Everything installed: a second run."""
    bare.python("3.12", folder=bare.environment_folder)
    assert bare.setup().returncode == 0
    bare.calls.unlink()
    return bare


def test_no_python(bare: Machine) -> None:
    assert "Python 3.11 or newer is needed and none was found." in bare.refused()


def test_python_too_old(bare: Machine) -> None:
    bare.python("3.9")
    sentence = bare.refused()
    assert "Python 3.11 or newer is needed and none was found (python3 is Python 3.9)." in sentence
    assert "apt-get install python3.11 python3.11-venv" in sentence
    assert not (bare.project / ".venv").exists()


def test_a_newer_python_under_another_name_is_found(bare: Machine) -> None:
    bare.python("3.9")
    bare.command("python3.13", 'case "$*" in *"-m venv"*) exit 3;; esac')
    assert bare.setup().returncode == 3


def test_disk_too_small(bare: Machine) -> None:
    bare.python("3.11")
    bare.command("df", "echo header; echo disk 3072000 1 2048000 1% /")
    sentence = bare.refused()
    assert "12000 MB of free disk are needed" in sentence
    assert "here are 2000 MB" in sentence
    assert not (bare.project / ".venv").exists()


def test_environment_of_an_old_python(bare: Machine) -> None:
    bare.python("3.10", folder=bare.environment_folder)
    assert "Delete the folder .venv and run make again." in bare.refused()


def test_a_failed_install_is_tried_again(bare: Machine) -> None:
    bare.python("3.11", folder=bare.environment_folder, pip="false")
    assert "pip could not install the packages" in bare.refused()
    bare.python("3.11", folder=bare.environment_folder)
    assert bare.setup().returncode == 0
    assert bare.called.count("pip") > 1


def test_a_second_run_does_nothing(ready: Machine) -> None:
    run = ready.setup()
    assert (run.returncode, run.stdout, run.stderr, ready.called) == (0, "", "", "")


def test_changed_dependencies_are_installed(ready: Machine) -> None:
    (ready.project / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert ready.setup().returncode == 0
    assert "-e .[all,dev]" in ready.called


def test_a_missing_library_is_named_by_the_command_that_installs_it(ready: Machine) -> None:
    ready.lose("libEGL.so.1")
    ready.lose("libxcb-cursor.so.0")
    ready.command("apt-get", "false")
    assert "Install them with: sudo apt-get install -y libegl1 libxcb-cursor0, and run make again." in ready.refused()


def test_a_missing_font_is_named(ready: Machine) -> None:
    shutil.rmtree(Path(ready.environment["HOME"]) / ".fonts")
    ready.command("find", "true")
    ready.command("apt-get", "false")
    assert "fonts-dejavu-core" in ready.refused()


def test_without_a_display_a_virtual_one_is_needed(ready: Machine) -> None:
    del ready.environment["DISPLAY"]
    ready.lose("libGLX_mesa.so.0")
    ready.command("apt-get", "false")
    assert "install -y xvfb xauth libglx-mesa0, and" in ready.refused()


def test_another_distribution_gets_the_names(ready: Machine) -> None:
    ready.lose("libEGL.so.1")
    sentence = ready.refused()
    assert "Under their Debian names they are: libegl1." in sentence
    assert "package manager" in sentence


@pytest.mark.parametrize("root", [True, False])
def test_libraries_are_installed_where_no_password_is_asked(ready: Machine, root: bool) -> None:
    ready.lose("libEGL.so.1")
    ready.command("apt-get", f'echo apt-get "$*" >>{ready.calls}')
    if root:
        ready.command("id", "echo 0")
    else:
        ready.command("sudo", f'echo sudo "$*" >>{ready.calls}; shift; "$@"')
    assert ready.setup().returncode == 0
    assert "apt-get install -y -qq libegl1\n" in ready.called
    assert ("sudo -n apt-get" in ready.called) is not root


def test_a_failed_apt_is_explained(ready: Machine) -> None:
    ready.lose("libEGL.so.1")
    ready.command("id", "echo 0")
    ready.command("apt-get", "false")
    sentence = ready.refused()
    assert "apt-get could not install these packages: libegl1 (see " in sentence
    assert "sudo apt-get install -y libegl1, and" in sentence


def test_a_machine_that_needs_the_venv_module_gets_it_for_its_own_python(bare: Machine) -> None:
    bare.command(
        "python3",
        'case "$*" in *ensurepip*) exit 1;; *%d*) echo 3.12;; *"-m venv"*) exit 3;; --version) echo Python 3.12;; esac',
    )
    bare.command("apt-get", "false")
    assert "sudo apt-get install -y python3.12-venv, and" in bare.refused()


def test_the_script_is_executable() -> None:
    assert os.access(ROOT / "scripts" / "setup.sh", os.X_OK)
