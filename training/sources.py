"""Pictures that the generator draws from: photographic textures and things out of Debian's package archive.

The packages are fetched with apt, unpacked outside the repository, filtered, and packed into three arrays:
``textures`` (surfaces), ``panels`` (structured surfaces) and ``things`` (photographed objects with alpha). Every
picture keeps its package, file name and licence. Some materials and things are held out: training never sees them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

PACKAGES = ("ufoai-textures", "supertuxkart-data", "tuxpaint-stamps-default", "nexuiz-textures")
TEXTURE_SIDE = 448
THING_SIDE = 288

NOT_A_SURFACE = re.compile(
    r"_nm|_norm|_gloss|_gm|_sm\b|_sm\.|_bump|_glow|normal|mask|alpha|shell|off\.|_add|sign|letter|text0|leaf|leaves|"
    r"window|screen|books?|art\d|_art|advert|sky|cloud|logo|flag|kart|body|hair|eye|face|glow|gfx|icon|lens|smoke|"
    r"particle|water|lava|liquid|shadow|flare|bush|plant|tree|palm|banner|people|poster|photo|map\d|light|lamp|lig_|"
    r"sunset|crowd|fish|car\d|cars|vehicle|number|arrow|jumppad|teleport|spark|fire|flame|blood|gore|keyboard|"
    r"notes|magazin|paint\d|monitor|tv\d|radio|clock|crowd|cabbage|carrot|mushroom|skull|animal|computer|terminal",
    re.IGNORECASE,
)
ALREADY_DAMAGED = re.compile(
    r"rust|rst|crack|damag|broken|dirty|scuff|burn|ruin|destroy|hole|graffit|mud|old|stain", re.I
)

MATERIALS = (
    ("brick", r"brick|brk"),
    ("wood", r"wood|plank|parquet|bark|log|timber|wd"),
    ("carpet", r"carpet|rug"),
    ("fabric", r"fabric|cloth|textil|curtain|sofa|seat|leather|latex|wicker|thatch|canvas"),
    ("tile", r"tile|slab|paving|cobble|ceramic|checker|mosaic"),
    ("concrete", r"concrete|crete|asphalt|street|road|cement|stucco|plaster|wallpaper|runway"),
    ("metal", r"metal|mtl|steel|iron|alu|grate|clang|plate|corrug|stainless|tech|pipe"),
    ("marble", r"marble|crystal|ice\b|ice[._]|snow"),
    ("sand", r"sand|desert|gravel|beach|dirt|earth|mars"),
    ("stone", r"rock|stone|cliff|canyon|basalt|cave"),
    ("grass", r"grass|turf|jungle|moss"),
)
HELD_OUT_MATERIALS = frozenset({"brick", "marble", "sand"})
HELD_OUT_PANEL_FOLDERS = ("trak5", "evil6", "dsi")
HELD_OUT_THINGS = ("household", "money", "sports")

FREE_LICENCES = frozenset({"public-domain", "CC0", "CC0-1.0"})

PHOTOGRAPHED_THINGS = re.compile(
    r"stamps/(food|household|hobbies|medical|clothes/(?!t_)|plants/mushrooms|plants/flowers|military/ammunition|sports|"
    r"symbols/money/(us|euro|canadian|japanese)|animals/(insects|shells|sea|crust|fish)|vehicles|seasonal/christmas)"
)


@dataclass(frozen=True)
class Source:
    """Where one picture comes from.

    Attributes
    ----------
    package, file, licence : str
        Debian package, path within it, short licence name from its copyright file.
    kind : str
        ``texture``, ``panel`` or ``thing``.
    category : str
        Material, folder or kind of thing.
    held_out : bool
        Never used in training.
    """

    package: str
    file: str
    licence: str
    kind: str
    category: str
    held_out: bool


@dataclass(frozen=True)
class Pictures:
    """The packed pictures of one split.

    Attributes
    ----------
    textures, panels : ndarray
        (T, side, side, 3) uint8.
    things : ndarray
        (K, side, side, 4) uint8, alpha last.
    """

    textures: np.ndarray
    panels: np.ndarray
    things: np.ndarray


def work_folder() -> Path:
    """Folder for downloads, pools and checkpoints, outside the repository."""
    return Path(os.environ.get("ANOCLIP_TRAINING", Path.home() / ".cache" / "napari-anoclip-training"))


def fetch(folder: Path, packages: Path | None = None) -> Path:
    """Download (unless ``packages`` holds them) and unpack the Debian packages; nothing is installed.

    Returns
    -------
    Path
        The root that the packages' paths hang under.
    """
    debs, root = packages or folder / "packages", folder / "unpacked"
    debs.mkdir(parents=True, exist_ok=True)
    root.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if (root / "usr/share/doc" / name / "copyright").exists():
            continue
        if not list(debs.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", name], cwd=debs, check=True)
        subprocess.run(["dpkg", "-x", str(next(debs.glob(f"{name}_*.deb"))), str(root)], check=True)
    return root


def licences(copyright_file: Path) -> list[tuple[re.Pattern[str], str]]:
    """Read (file pattern, licence) pairs of a machine-readable Debian copyright file, last match winning."""
    pairs = []
    for paragraph in re.split(r"\n\s*\n", copyright_file.read_text(errors="replace")):
        files = re.search(r"^Files:(.*?)(?=^\S)", paragraph + "\nX", re.M | re.S)
        licence = re.search(r"^License:[ \t]*(\S[^\n]*)", paragraph, re.M)
        if files and licence:
            for glob in files.group(1).split():
                regex = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
                pairs.append((re.compile(rf"(^|.*/){regex}$"), licence.group(1).strip()))
    return pairs


def licence_of(path: str, pairs: list[tuple[re.Pattern[str], str]], default: str) -> str:
    """Licence of one file: the last pattern that matches, Debian's own rule."""
    return next((licence for pattern, licence in reversed(pairs) if pattern.match(path)), default)


def material_of(path: str) -> str | None:
    """Material that a texture's file name tells, or None."""
    name = path.rsplit("/", 1)[-1].lower()
    return next((material for material, words in MATERIALS if re.search(words, name)), None)


def _archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if re.search(r"\.(png|jpe?g|tga)$", name, re.I):
                yield name, archive.read(name)


def _surface(data: bytes) -> np.ndarray | None:
    """One square surface picture, or None where it is no plain, opaque, well exposed surface."""
    try:
        image = Image.open(BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError):
        return None
    width, height = image.size
    if min(width, height) < 128 or max(width, height) / min(width, height) > 2.05:
        return None
    if "A" in image.getbands() and np.asarray(image.getchannel("A")).mean() < 250:
        return None
    side = min(width, height)
    image = image.convert("RGB").crop((0, 0, side, side)).resize((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    grey = pixels.mean(2)
    if not 22 < grey.mean() < 235 or grey.std() < 3 or grey.std() > 75:
        return None
    return pixels


def _thing(path: Path) -> np.ndarray | None:
    """One photographed thing with alpha, padded to a square, or None where it is too small or too sparse."""
    image = Image.open(path).convert("RGBA")
    box = image.getchannel("A").getbbox()
    if box is None:
        return None
    image = image.crop(box)
    if min(image.size) < 60 or max(image.size) / min(image.size) > 5:
        return None
    image.thumbnail((THING_SIDE, THING_SIDE), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (THING_SIDE, THING_SIDE))
    canvas.paste(image, ((THING_SIDE - image.width) // 2, (THING_SIDE - image.height) // 2))
    pixels = np.asarray(canvas)
    return pixels if (pixels[..., 3] > 128).mean() > 0.08 else None


def collect(root: Path) -> Iterator[tuple[Source, np.ndarray]]:
    """Walk the unpacked packages in a fixed order and yield every picture that passes the filters."""
    share = root / "usr/share"
    doc = share / "doc"
    ufoai, kart = (licences(doc / name / "copyright") for name in ("ufoai-textures", "supertuxkart-data"))

    def surfaces() -> Iterator[tuple[str, str, str, bytes]]:
        for name, data in _archive(share / "games/ufoai/base/0textures.pk3"):
            yield "ufoai-textures", name, licence_of("base/" + name, ufoai, "GPL-2+"), data
        for path in sorted((share / "games/supertuxkart/data/textures").iterdir()):
            name = path.relative_to(share / "games/supertuxkart").as_posix()
            if path.suffix in {".png", ".jpg"} and material_of(name):
                yield "supertuxkart-data", name, licence_of(name, kart, "GPL-3+"), path.read_bytes()
        for name, data in _archive(share / "games/nexuiz/data/textures.pk3"):
            yield "nexuiz-textures", name, "GPL-2+", data

    for package, name, licence, data in surfaces():
        if NOT_A_SURFACE.search(name.removeprefix("textures/")) or ALREADY_DAMAGED.search(name):
            continue
        pixels = _surface(data)
        if pixels is None:
            continue
        material = material_of(name)
        if package != "nexuiz-textures" and material:
            yield Source(package, name, licence, "texture", material, material in HELD_OUT_MATERIALS), pixels
        elif "tex_pics" not in name and "tex_misc" not in name:
            folder = name.split("/")[-2]
            held_out = folder.startswith(HELD_OUT_PANEL_FOLDERS) or material in HELD_OUT_MATERIALS
            yield Source(package, name, licence, "panel", folder, held_out), pixels

    stamps = share / "tuxpaint/stamps"
    for path in sorted(stamps.rglob("*.png")):
        name = path.relative_to(stamps.parent).as_posix()
        if PHOTOGRAPHED_THINGS.search(name) and not re.search("cartoon|mirror|00_symbols", name):
            pixels = _thing(path)
            if pixels is not None:
                category = name.split("/")[1] if "/money/" not in name else "money"
                held_out = category in HELD_OUT_THINGS
                yield Source("tuxpaint-stamps-default", name, "GPL-2", "thing", category, held_out), pixels


def prepare(folder: Path, packages: Path | None = None) -> None:
    """Fetch, filter and pack everything into ``folder`` unless that has been done."""
    if (folder / "sources.json").exists():
        return
    listed: list[Source] = []
    packed: dict[tuple[str, bool], list[np.ndarray]] = {
        (k, h): [] for k in ("texture", "panel", "thing") for h in (0, 1)
    }
    for source, pixels in collect(fetch(folder, packages)):
        listed.append(source)
        packed[source.kind, source.held_out].append(pixels)
    for (kind, held_out), pixels_list in packed.items():
        np.save(folder / f"{kind}s_{'held_out' if held_out else 'train'}.npy", np.stack(pixels_list))
    (folder / "sources.json").write_text(json.dumps([asdict(source) for source in listed], indent=0))


@cache
def pictures(held_out: bool, free: bool = False) -> Pictures:
    """Packed pictures of one split; ``prepare`` must have run.

    Parameters
    ----------
    held_out : bool
        Those that training never sees.
    free : bool
        Only those in the public domain or under CC0, fit to be passed on in pictures that the package ships.

    Returns
    -------
    Pictures
        Memory-mapped.
    """
    split = "held_out" if held_out else "train"
    listed = json.loads((work_folder() / "sources.json").read_text())

    def packed(kind: str) -> np.ndarray:
        bank = np.load(work_folder() / f"{kind}s_{split}.npy", mmap_mode="r")
        if not free:
            return bank
        mine = [source for source in listed if source["kind"] == kind and source["held_out"] == held_out]
        return bank[[index for index, source in enumerate(mine) if source["licence"] in FREE_LICENCES]]

    return Pictures(packed("texture"), packed("panel"), packed("thing"))


def main() -> None:
    """Prepare the sources and print how many pictures of which licence there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, help="folder that holds the .deb files already")
    arguments = parser.parse_args()
    folder = work_folder()
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder, arguments.packages)
    counts: dict[tuple[str, ...], int] = {}
    for source in json.loads((folder / "sources.json").read_text()):
        key = (source["package"], source["kind"], "held out" if source["held_out"] else "train", source["licence"])
        counts[key] = counts.get(key, 0) + 1
    for key, count in sorted(counts.items()):
        print(f"{count:5d}  {'  '.join(key)}")


if __name__ == "__main__":
    main()
