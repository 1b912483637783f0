"""Captions: what a user may type about good and bad parts, and words for every kind of defect.

The words cover the paper's states, frames and domain phrases, the presets for surfaces, electronics, castings,
textiles and food, and many synonyms. An object's name is drawn at random, so that it does not decide.
"""

from __future__ import annotations

from numpy.random import Generator

from .defects import TRAINED_KINDS

PAPER_NORMAL = (
    "normal {}", "flawless {}", "perfect {}", "unblemished {}", "{} without flaw", "{} without defect",
    "{} without damage",
)  # fmt: skip
PAPER_ABNORMAL = (
    "damaged {}", "abnormal {}", "imperfect {}", "blemished {}", "{} with flaw", "{} with defect", "{} with damage",
)  # fmt: skip
MORE_NORMAL = (
    "good {}", "intact {}", "undamaged {}", "clean {}", "pristine {}", "faultless {}", "spotless {}", "defect-free {}",
    "fine {}", "{} in good condition", "{} without any defect", "{} without any damage", "{} with no defect",
    "{} with no flaw", "{} without anomaly", "{} without scratches", "{} without stains", "{} without cracks",
    "smooth even {}", "uniform {}", "regular {}", "{}", "healthy {}", "sound {}", "acceptable {}",
    "{} as it should be", "well made {}", "complete {}", "correctly assembled {}", "fresh {}", "evenly coloured {}",
    "evenly woven {}", "ok {}", "{} with an even surface", "{} with all parts in place", "unbroken {}",
    "unused new {}", "{} that passed inspection", "whole {}", "ripe {}", "well shaped {}", "well soldered {}",
    "smoothly machined {}", "smooth {}", "{} without pores", "{} without loose threads", "{} with straight pins",
    "{} with all components in place", "{} with a regular pattern", "{} with a regular weave", "{} without dents",
    "{} without holes", "{} without marks", "{} without contamination",
)  # fmt: skip
MORE_ABNORMAL = (
    "bad {}", "defective {}", "faulty {}", "broken {}", "flawed {}", "spoiled {}", "anomalous {}", "dirty {}",
    "ruined {}", "irregular {}", "{} in bad condition", "{} with an anomaly", "{} with a defect", "{} with a flaw",
    "{} with damage", "{} with defects", "{} with some damage", "{} with an imperfection", "{} with a fault",
    "rejected {}", "unacceptable {}", "{} with something wrong", "{} with a blemish", "marred {}", "impaired {}",
    "deformed {}", "contaminated {}", "{} with an uneven surface", "{} with a surface defect",
    "{} that failed inspection", "{} with an odd spot", "poor {}", "porous {}", "{} with a pinhole",
    "{} with a shrinkage cavity", "{} with a cold shut", "{} with an inclusion", "{} with flash", "{} with a burr",
    "{} with a wrong component", "{} with a solder bridge", "{} with too much solder", "{} with a cold solder joint",
    "bruised {}", "rotten {}", "crushed {}", "misshapen {}", "mouldy {}", "{} with mould", "{} with a knot",
    "{} with a snag", "frayed {}", "{} with color bleeding", "{} with a missing thread", "{} with peeling paint",
    "{} with flaking", "{} with marks", "{} with an uneven pattern", "incorrectly assembled {}",
)  # fmt: skip

FRAMES = (
    "a cropped {d} of the {o}", "a cropped {d} of a {o}", "a close-up {d} of a {o}", "a close-up {d} of the {o}",
    "a bright {d} of a {o}", "a bright {d} of the {o}", "a dark {d} of the {o}", "a dark {d} of a {o}",
    "a jpeg corrupted {d} of a {o}", "a jpeg corrupted {d} of the {o}", "a blurry {d} of the {o}",
    "a blurry {d} of a {o}", "a {d} of a {o}", "a {d} of the {o}", "a {d} of a small {o}", "a {d} of the small {o}",
    "a {d} of a large {o}", "a {d} of the large {o}", "a {d} of the {o} for visual inspection",
    "a {d} of a {o} for visual inspection", "a {d} of the {o} for anomaly detection",
    "a {d} of a {o} for anomaly detection",
)  # fmt: skip
OTHER_FRAMES = (
    "{o}", "a {o}", "the {o}", "{d} of {o}", "a photo of the {o}", "{o} seen from above", "a picture of {o}",
    "a grey {d} of the {o}", "a {d} of the {o} under grazing light", "a {d} of the {o} on a conveyor belt",
    "a {d} of the {o} for quality control", "a backlit {d} of the {o}", "a {d} of the {o} seen from above",
)  # fmt: skip
DOMAINS = (
    "industrial photo", "industrial image", "manufacturing image", "textural photo", "surface picture",
    "surface photo",
)  # fmt: skip
OTHER_DOMAINS = (
    "photo", "image", "picture", "photograph", "microscope image", "macro photo", "inspection image", "product photo",
    "grayscale photo", "electronics photo", "circuit board image", "casting photo", "metal surface photo",
    "textile photo", "fabric image", "food photo", "quality control image", "camera image", "x-ray image",
    "close-up picture", "production image", "top view", "fabric scan", "scan",
)  # fmt: skip
NOUNS = (
    "carpet", "leather", "grid", "tile", "wood", "bottle", "cable", "capsule", "hazelnut", "metal nut", "pill",
    "screw", "toothbrush", "transistor", "zipper", "pcb", "printed circuit board", "candle", "cashew", "chewing gum",
    "macaroni", "fryum", "pipe fryum", "casting", "cast part", "gear", "bearing", "bolt", "nut", "washer", "spring",
    "valve", "pump impeller", "engine block", "weld", "steel plate", "steel strip", "sheet metal", "metal surface",
    "aluminium profile", "brushed metal", "magnetic tile", "ceramic tile", "ceramic", "glass", "lens", "mirror",
    "window", "screen", "display", "phone", "plastic part", "plastic", "rubber", "rubber seal", "gasket", "foam",
    "paper", "cardboard", "box", "label", "package", "blister pack", "tablet", "fabric", "textile", "cloth", "cotton",
    "denim", "yarn", "knitwear", "towel", "curtain", "felt", "rope", "canvas", "silk", "concrete", "concrete wall",
    "wall", "brick", "asphalt", "road", "pavement", "stone", "marble", "granite", "plaster", "paint",
    "painted surface", "coating", "surface", "texture", "pattern", "panel", "plate", "board", "component", "part",
    "product", "object", "item", "thing", "device", "machine", "tool", "chip", "wafer", "solar cell", "solder joint",
    "resistor", "capacitor", "connector", "socket", "plug", "wire", "fuse", "battery", "coin", "key", "button", "ring",
    "bracket", "disc", "wheel", "tyre", "pipe", "tube", "cap", "lid", "can", "jar", "cup", "mug", "spoon", "brush",
    "pen", "comb", "clip", "hook", "bread", "biscuit", "cookie", "chocolate", "pizza", "fruit", "apple", "orange",
    "banana", "potato", "tomato", "nut kernel", "almond", "walnut", "bean", "rice", "seed", "grain", "meat", "cheese",
    "egg", "vegetable", "leaf", "flower", "mesh", "net", "filter", "bag", "shoe", "sofa", "door", "floor", "roof",
    "furniture", "sponge", "veneer", "plywood", "parquet", "hose", "sheet", "film", "foil",
)  # fmt: skip

KIND_WORDS: dict[str, tuple[str, ...]] = {
    "scratch": ("scratch", "scratches", "fine scratches", "a scratch mark", "scratched", "scuffed"),
    "crack": ("crack", "cracks", "a fracture", "a hairline crack", "a fissure", "cracked", "fractured"),
    "cut": ("cut", "a cut", "a slit", "a knife cut", "a cut lead", "a gash", "cut open", "sliced"),
    "dent": ("dent", "a dent", "dents", "a dimple", "an impression", "dented", "pressed in"),
    "hole": ("hole", "a hole", "holes", "an opening", "a pierced hole", "a blowhole", "perforated", "punched"),
    "stain": (
        "stain",
        "a stain",
        "dirt",
        "a dirty spot",
        "contamination",
        "oil stain",
        "an oil spot",
        "stained",
        "soiled",
    ),
    "burn": ("burn", "a burn mark", "scorch marks", "charring", "burnt", "scorched", "charred"),
    "discolouration": (
        "discoloration",
        "discolouration",
        "color change",
        "a wrong colour",
        "discolored",
        "discoloured",
        "faded",
    ),
    "broken": (
        "breakage",
        "a missing piece",
        "a broken part",
        "a broken edge",
        "a broken track",
        "broken",
        "shattered",
        "broken off",
    ),
    "bent": (
        "a bend",
        "distortion",
        "deformation",
        "a bent part",
        "a bent pin",
        "bent",
        "twisted",
        "deformed",
        "warped",
    ),
    "thread": ("thread", "a loose thread", "a hair", "a fibre", "a foreign fibre", "a fiber", "thready", "hairy"),
    "misprint": ("misprint", "a print defect", "a faulty imprint", "smudged print", "misprinted", "wrongly printed"),
    "rust": ("rust", "corrosion", "rust spots", "oxidation", "rusty", "corroded", "oxidized"),
    "chip": ("chip", "a chip", "chipping", "a chipped edge", "a nick", "chipped", "nicked"),
    "smear": ("smear", "glue", "a smudge", "glue residue", "grease", "smeared", "smudged"),
    "foreign": (
        "a foreign object",
        "a foreign body",
        "debris",
        "an extra object",
        "a particle",
        "contaminated by debris",
    ),
    "bubble": ("bubble", "bubbles", "a blister", "blisters", "an air bubble", "blistered", "bubbly"),
    "wrinkle": ("wrinkle", "wrinkles", "a fold", "a crease", "creases", "wrinkled", "creased", "folded"),
    "tear": ("tear", "a tear", "a rip", "a torn area", "torn", "ripped"),
    "paint": ("a color patch", "paint", "a paint splash", "ink", "a colour spot", "paint splashed", "ink stained"),
    "worn": ("abrasion", "wear", "a worn area", "rubbing marks", "a rough patch", "worn", "abraded", "rough"),
    "missing": (
        "a missing part",
        "a missing component",
        "a missing element",
        "an empty place",
        "incomplete",
        "missing parts",
    ),
    "misplaced": (
        "a misplaced part",
        "a misplaced component",
        "misalignment",
        "a shifted part",
        "misplaced",
        "misaligned",
    ),
    "puncture": ("puncture", "pinholes", "pricks", "punctured"),
    "peeling": ("peeling", "flaking", "peeling paint", "peeled"),
    "tide mark": ("a water mark", "a ring mark", "water stains", "water marked"),
    "mould": ("mould", "mold", "mouldy spots", "mouldy"),
}


UNKNOWN_WORD = "!"
"""Stands for an object whose name the model never learns; its embedding stays zero, as that of every unknown word."""


def _pick(rng: Generator, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def article(text: str) -> str:
    """Make ``a`` agree with the word after it."""
    words = text.split(" ")
    for index in range(len(words) - 1):
        if words[index] in {"a", "an"}:
            words[index] = "an" if words[index + 1][:1].lower() in set("aeiou") else "a"
    return " ".join(words)


def _framed(rng: Generator, state: str) -> str:
    """Put a state into a random frame with a random domain; two of three are the paper's own."""
    noun = UNKNOWN_WORD if rng.random() < 0.12 else _pick(rng, NOUNS)
    frame = _pick(rng, FRAMES) if rng.random() < 0.8 else _pick(rng, OTHER_FRAMES)
    domain = _pick(rng, DOMAINS) if rng.random() < 0.75 else _pick(rng, OTHER_DOMAINS)
    return article(frame.format(d=domain, o=state.format(noun)))


def normal(rng: Generator) -> str:
    """A caption of a good part."""
    return _framed(rng, _pick(rng, PAPER_NORMAL if rng.random() < 0.65 else MORE_NORMAL))


def abnormal(rng: Generator) -> str:
    """A caption of a bad part."""
    return _framed(rng, _pick(rng, PAPER_ABNORMAL if rng.random() < 0.65 else MORE_ABNORMAL))


def of_kind(rng: Generator, kind: str) -> str:
    """A caption that names a kind of defect: "scratched {}" or "{} with a scratch"."""
    word = _pick(rng, KIND_WORDS[kind])
    adjective = word.split(" ")[0].endswith(("ed", "y", "ent", "orn", "urnt", "en", "aced", "ete")) and word != "dent"
    return _framed(rng, f"{word} {{}}" if adjective and rng.random() < 0.85 else f"{{}} with {word}")


def vocabulary() -> list[str]:
    """Every text that training may draw words from, for finding the tokens that are trained at all."""
    texts = [
        *PAPER_NORMAL,
        *PAPER_ABNORMAL,
        *MORE_NORMAL,
        *MORE_ABNORMAL,
        *FRAMES,
        *OTHER_FRAMES,
        *DOMAINS,
        *OTHER_DOMAINS,
    ]
    texts = [text.replace("{d}", " ").replace("{o}", " ").replace("{}", " ") for text in texts]
    return [*texts, *NOUNS, *(word for kind in TRAINED_KINDS for word in KIND_WORDS[kind]), "a an with"]
