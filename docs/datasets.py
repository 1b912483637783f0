"""The tables of `datasets.md`: what is known of each data set. Written by ``python -m docs.generate``."""

from __future__ import annotations

from collections.abc import Iterator

from napari_anoclip.batch.datasets import DATASETS, DataSet, FolderSettings
from napari_anoclip.batch.datasets.general import USUAL_MASKS


def parts() -> dict[str, str]:
    """Markdown of each generated part by name."""
    known = [data for key, data in DATASETS.items() if key != "folder"]
    return {
        "table": "\n".join(_table(known)),
        "sets": "\n\n".join("\n".join(_section(data)) for data in known),
        "folder": f"```\n{DATASETS['folder'].tree}\n```\n\n" + "\n".join(_settings()),
    }


def _table(known: list[DataSet]) -> Iterator[str]:
    yield "| name | data set | categories | licence |"
    yield "| --- | --- | --- | --- |"
    for data in known:
        kinds = [noun.kind for noun in data.nouns.values()]
        counts = [f"{kinds.count(kind)} {kind}{'s' * (kinds.count(kind) > 1)}" for kind in ("object", "texture")]
        count = ", ".join(text for text in counts if not text.startswith("0 "))
        yield f"| `{data.key}` | [{data.title}]({data.page}) | {count} | {data.licence} |"


def _section(data: DataSet) -> Iterator[str]:
    yield f"### {data.title}"
    yield ""
    yield f"`anoclip evaluate {data.key} FOLDER`"
    yield ""
    yield f"```\n{data.tree}\n```"
    yield ""
    yield f"- From: <{data.page}>"
    yield f"- Licence: {data.licence}"
    yield f"- Cite: {data.citation}"
    yield f"- Layout checked against: {data.checked}"
    words = [f"{name} “{noun.object}”{' (t)' * (noun.kind == 'texture')}" for name, noun in data.nouns.items()]
    yield f"- Words for prompts, (t) for textures: {', '.join(words)}"
    if data.note:
        yield f"- {data.note}"


def _settings() -> Iterator[str]:
    yield "| setting | default | what for |"
    yield "| --- | --- | --- |"
    for name, field in FolderSettings.model_fields.items():
        values = field.default if isinstance(field.default, tuple) else (field.default,)
        default = ", ".join(f"`{value}`" for value in values if value is not None)
        yield f"| `{name}` | {default or 'empty'} | {field.description} |"
    yield ""
    yield f"The usual places of masks, in this order: {', '.join(f'`{pattern}`' for pattern in USUAL_MASKS)}."
