"""Other words for common objects: what the model calls a thing is not always what a person calls it."""

from __future__ import annotations

_ALIKE = (
    ("bottle", "glass bottle", "vial", "flask"),
    ("cable", "wire", "electric cable", "cord"),
    ("capsule", "pill", "gelatin capsule"),
    ("pill", "tablet", "capsule"),
    ("carpet", "rug", "woven carpet", "fabric"),
    ("fabric", "cloth", "textile", "woven fabric"),
    ("grid", "mesh", "wire mesh", "lattice"),
    ("leather", "leather surface", "hide", "skin"),
    ("metal nut", "nut", "hex nut", "metal part"),
    ("screw", "bolt", "metal screw", "fastener"),
    ("tile", "ceramic tile", "stone tile", "floor tile"),
    ("toothbrush", "brush", "bristles"),
    ("transistor", "electronic component", "component", "chip"),
    ("wood", "wooden board", "timber", "wood surface"),
    ("zipper", "zip fastener", "zip"),
    ("circuit board", "printed circuit board", "PCB", "electronic board"),
    ("chip", "integrated circuit", "electronic component"),
    ("button", "plastic button", "round button"),
    ("ring", "sealing ring", "gasket", "O-ring"),
    ("disc", "metal disc", "round plate", "disk"),
    ("gear", "cogwheel", "metal gear"),
    ("washer", "metal washer", "metal ring"),
    ("casting", "cast metal part", "metal part", "metal surface"),
    ("metal", "metal surface", "metal sheet", "metal plate"),
    ("metal sheet", "metal plate", "perforated sheet", "metal surface"),
    ("surface", "material", "texture", "sheet"),
    ("paper", "sheet of paper", "paper surface"),
    ("glass", "glass pane", "pane", "glass surface"),
    ("plastic", "plastic part", "plastic surface"),
    ("concrete", "concrete wall", "concrete surface", "wall"),
    ("weld", "welded joint", "weld seam"),
    ("wafer", "silicon wafer", "semiconductor wafer"),
    ("cookie", "biscuit", "baked good"),
    ("fruit", "piece of fruit", "food"),
    ("candle", "wax candle", "tea light"),
    ("cashew", "nut", "cashew nut"),
    ("chewing gum", "gum", "sweet"),
    ("macaroni", "pasta", "noodle"),
    ("cell", "biological cell", "tissue"),
    ("tissue", "tissue section", "stained tissue"),
    ("object", "part", "item", "product"),
)
"""Each line is alike in meaning, the most usual word first."""

MOST = 3
"""Each word costs the encoding of all prompts anew."""


def synonyms(name: str) -> tuple[str, ...]:
    """Give other words for an object.

    Parameters
    ----------
    name : str
        What it is called now; of several words, the last ones count where the whole is not known.

    Returns
    -------
    tuple of str
        At most `MOST`, the nearest first; empty if none is known.
    """
    words = name.replace("_", " ").split()
    for first in range(len(words)):
        asked = " ".join(words[first:]).lower()
        lines = [line for line in _ALIKE if asked in (word.lower() for word in line)]
        if lines:
            # A line that the word heads says more about it than one in which it is a synonym itself.
            lines.sort(key=lambda line: line[0].lower() != asked)
            found = dict.fromkeys(word for line in lines for word in line)
            return tuple(word for word in found if word.lower() not in (asked, name.lower()))[:MOST]
    return ()
