"""Nouns of many categories at once."""

from __future__ import annotations

from napari_anoclip.batch.datasets.model import Noun


def objects(**words: str) -> dict[str, Noun]:
    """Things with a shape, by category."""
    return {name: Noun(object=word, kind="object") for name, word in words.items()}


def textures(**words: str) -> dict[str, Noun]:
    """Surfaces that fill the picture, by category."""
    return {name: Noun(object=word, kind="texture") for name, word in words.items()}
