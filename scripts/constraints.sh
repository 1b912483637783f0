#!/bin/sh
# Writes the versions that are installed in .venv into constraints.txt: `make constraints`, after `make test` passed
# with them. PyTorch and what comes with it are left out: which build of it fits is a matter of the machine.
set -eu
cd "$(dirname "$0")/.."
{
    echo "# Versions that the tests passed with, on Linux: PIP_CONSTRAINT=constraints.txt pip install -e '.[all,dev]'"
    echo "# Written by make constraints. PyTorch is not among them: which build of it fits is a matter of the machine."
    .venv/bin/python -m pip --disable-pip-version-check list --format freeze --exclude-editable --exclude pip --exclude setuptools |
        grep -Eiv '^(cuda-|nvidia-|torch|triton)'
} >constraints.txt
