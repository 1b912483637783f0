"""Whatever image, prompts and settings there are: a map of probabilities, or a sentence."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import numpy as np
import pytest
from annotated_types import Le
from engine import golden
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel, ValidationError

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.errors import AnoCLIPError, ImageError, PromptError
from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings

PROMPTS = PromptSet.compose(object="nut", normal_states=["normal {}"], abnormal_states=["damaged {}", "bent {}"])
PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)

LARGEST = {"steps": 3, "side": 96, "scale": 3.0, "vv_blocks": 4, "overlap": 0.5}
"""What is tried at most where larger values only take longer."""

MAY_BE_EMPTY = {
    name
    for part in (ScoringSettings, AdaptationSettings, TilingSettings)
    for name, field in part.model_fields.items()
    if field.default is None or type(None) in get_args(field.annotation)
}

shapes = st.one_of(
    hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=12),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4])),
)
dtypes = st.one_of(hnp.scalar_dtypes(), st.just(np.dtype(object)), hnp.nested_dtypes(max_leaves=2))
words = st.text(max_size=30) | st.sampled_from(
    ["{}", "{} {}", "a {} {", "{domain}", "\x00", "\ud800", "x" * 3000, "🔩"]
)


@pytest.fixture(scope="module")
def ano(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    return AnoCLIP.from_open_clip(
        golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path_factory.mktemp("cache")
    )


@pytest.fixture
def tries(thorough: bool) -> Any:
    """How often Hypothesis tries; always the same way."""
    return settings(
        max_examples=200 if thorough else 6,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def is_a_sentence(error: Exception) -> None:
    assert str(error).endswith(".")


def is_a_map(values: np.ndarray, size: tuple[int, ...]) -> None:
    assert values.shape == size
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1


@pytest.mark.fault(
    "inputs",
    "any array as image: any shape and type, NaN and infinities among its values",
    "the model; an image is scored, all else refused",
    sees="a heatmap, or a sentence",
)
def test_any_array_is_scored_or_refused(ano, tries) -> None:
    @tries
    @given(st.data())
    def look(data: st.DataObject) -> None:
        dtype = data.draw(dtypes)
        # Elements of objects are of no interest: the type alone is refused.
        image = np.zeros(data.draw(shapes), dtype) if dtype.hasobject else data.draw(hnp.arrays(dtype, shapes))
        try:
            found = ano.detect(image, PROMPTS)
        except ImageError as error:
            return is_a_sentence(error)
        is_a_map(found.map, image.shape[:2])
        return None

    look()


@pytest.mark.fault(
    "inputs",
    "any words as object and states",
    "the model; what can be read by it is scored, all else refused",
    sees="a heatmap, or a sentence",
)
def test_any_words_are_scored_or_refused(ano, tries) -> None:
    @tries
    @given(words, st.lists(words, max_size=3), st.lists(words, max_size=3), st.lists(words, max_size=2))
    def look(name: str, normal: list[str], abnormal: list[str], frames: list[str]) -> None:
        try:
            prompts = PromptSet.compose(object=name, normal_states=normal, abnormal_states=abnormal, frames=frames)
            found = ano.detect(PICTURE, prompts)
        except (PromptError, ValidationError):
            return
        is_a_map(found.map, PICTURE.shape[:2])

    look()


def drawn(model: type[BaseModel], draw: Any) -> dict[str, Any]:
    """Values for some fields of a settings model, anywhere within their bounds."""
    chosen: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            chosen[name] = drawn(field.annotation, draw)
        elif draw(st.booleans()):
            bounds = [*field.metadata, *([Le(LARGEST[name])] if name in LARGEST else [])]
            kind = Annotated[(field.annotation, *bounds)] if bounds else field.annotation
            chosen[name] = draw(st.none() if name in MAY_BE_EMPTY and draw(st.booleans()) else of_kind(kind, name))
    return chosen


def of_kind(kind: Any, name: str) -> st.SearchStrategy[Any]:
    """Values of an annotated type; of a number that may be empty, of the number."""
    if name == "degrees":
        return st.lists(st.integers(1, 15), max_size=3)
    if name in MAY_BE_EMPTY:
        union, *bounds = get_args(kind)
        number = next(one for one in get_args(union) if one is not type(None))
        return st.from_type(Annotated[(number, *bounds)])
    return st.from_type(kind)


@pytest.mark.fault(
    "inputs",
    "any settings within their bounds, the extremes and all together",
    "the model; the next run",
    sees="a heatmap, or a sentence",
)
def test_any_settings_give_a_map_or_are_refused(ano, tries) -> None:
    @tries
    @given(st.data())
    def look(data: st.DataObject) -> None:
        try:
            chosen = AnoCLIPSettings.model_validate(drawn(AnoCLIPSettings, data.draw))
        except ValidationError:
            return None
        try:
            found = ano.detect(PICTURE, PROMPTS, chosen)
        except AnoCLIPError as error:
            return is_a_sentence(error)
        is_a_map(found.map, PICTURE.shape[:2])
        return None

    look()
