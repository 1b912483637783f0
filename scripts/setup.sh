#!/bin/sh
# Makes this folder ready to run: a virtual environment in .venv with the package and its tools, and on Linux the
# system libraries that Qt and OpenGL need. What is there already is left alone, so running it again takes no time.
# Everything that stops it is said in one sentence, with the command that helps.
set -eu

OLDEST_PYTHON="3.11"
NEEDED_DISK_MB=12000 # torch with its CUDA libraries: 6.7 GB installed, the rest for the downloads on their way in
VENV=".venv"
STAMP="$VENV/installed" # holds the checksum of the pyproject.toml that was installed

# Shared library, and the Debian and Ubuntu package that has it.
QT_LIBRARIES="
libEGL.so.1               libegl1
libGL.so.1                libgl1
libX11-xcb.so.1           libx11-xcb1
libdbus-1.so.3            libdbus-1-3
libfontconfig.so.1        libfontconfig1
libgthread-2.0.so.0       libglib2.0-0
libxcb-cursor.so.0        libxcb-cursor0
libxcb-icccm.so.4         libxcb-icccm4
libxcb-image.so.0         libxcb-image0
libxcb-keysyms.so.1       libxcb-keysyms1
libxcb-randr.so.0         libxcb-randr0
libxcb-render-util.so.0   libxcb-render-util0
libxcb-shape.so.0         libxcb-shape0
libxcb-shm.so.0           libxcb-shm0
libxcb-sync.so.1          libxcb-sync1
libxcb-xfixes.so.0        libxcb-xfixes0
libxcb-xkb.so.1           libxcb-xkb1
libxkbcommon-x11.so.0     libxkbcommon-x11-0
"

say() { printf '%s\n' "setup: $*"; }

fail() {
    printf '%s\n' "setup: $*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < tuple(map(int, '$OLDEST_PYTHON'.split('.'))))" 2>/dev/null
}

# The default python3 comes first: it is the one whose venv module is most likely installed.
find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if has "$candidate" && new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    found=""
    has python3 && found=" (python3 is $(python3 --version 2>&1))"
    fail "Python $OLDEST_PYTHON or newer is needed and none was found$found." \
        "Install one (Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv) and run make again."
}

check_disk() {
    free_mb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free_mb" -ge "$NEEDED_DISK_MB" ] ||
        fail "$NEEDED_DISK_MB MB of free disk are needed for PyTorch and napari, and here are $free_mb MB." \
            "Free some space, or move this folder to a larger disk, and run make again."
}

installed() { [ "$(cat "$STAMP" 2>/dev/null)" = "$(cksum <pyproject.toml)" ]; }

has_font() {
    for folder in /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" "$HOME/.local/share/fonts"; do
        [ -d "$folder" ] && [ -n "$(find -L "$folder" -name '*.[to]tf' 2>/dev/null | head -n 1)" ] && return 0
    done
    return 1
}

# Packages that this machine lacks. A machine without a display also needs a virtual one, with OpenGL in software.
missing_packages() {
    libraries="$QT_LIBRARIES"
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        has xvfb-run || echo xvfb
        has xauth || echo xauth
        libraries="$libraries libGLX_mesa.so.0 libglx-mesa0"
    fi
    has_font || echo fonts-dejavu-core
    known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)
    # shellcheck disable=SC2086 # the table is meant to fall apart into words
    set -- $libraries
    while [ $# -gt 0 ]; do
        case "$known" in
        *"$1 "*) ;;
        *) echo "$2" ;;
        esac
        shift 2
    done
}

# Installs system packages where that needs no password, and otherwise says how.
install_packages() {
    needed="$*"
    has apt-get ||
        fail "System packages are missing. Under their Debian names they are: $needed." \
            "Install them with this system's package manager and run make again."
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif has sudo && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        fail "System packages are missing. Install them with: sudo apt-get install -y $needed, and run make again."
    fi
    say "installing system packages: $needed"
    # shellcheck disable=SC2086 # several packages, and no word at all for root
    { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $needed; } \
        >"$apt_log" 2>&1 ||
        fail "apt-get could not install these packages: $needed (see $apt_log)." \
            "Install them with: sudo apt-get install -y $needed, and run make again."
}

make_environment() {
    python=$(find_python)
    check_disk
    if ! "$python" -c "import ensurepip, venv" 2>/dev/null; then
        version=$("$python" -c "import sys; print('%d.%d' % sys.version_info[:2])")
        install_packages "python$version-venv"
    fi
    say "creating $VENV with $("$python" --version)"
    "$python" -m venv "$VENV"
}

install_project() {
    say "installing napari-anoclip and its tools (several gigabytes the first time: minutes)"
    # pip unpacks beside the environment: one disk to have room on, even where /tmp is small.
    mkdir -p "$VENV/tmp"
    TMPDIR="$PWD/$VENV/tmp" "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[all,dev]" ||
        fail "pip could not install the packages (its reason is above). Check the network and run make again."
    rm -rf "$VENV/tmp"
    cksum <pyproject.toml >"$STAMP"
}

cd "$(dirname "$0")/.."
apt_log="${TMPDIR:-/tmp}/napari-anoclip-apt.log"

if ! installed; then
    [ -x "$VENV/bin/python" ] || make_environment
    new_enough "$VENV/bin/python" ||
        fail "The Python in $VENV is older than $OLDEST_PYTHON or broken. Delete the folder $VENV and run make again."
    install_project
fi

if [ "$(uname -s)" = Linux ]; then
    packages=$(missing_packages | tr '\n' ' ')
    # shellcheck disable=SC2086 # one argument a package
    [ -z "$packages" ] || install_packages $packages
fi
