"""What was judged becomes references: which patches, how many, and where each comes from."""

from __future__ import annotations

import threading

import pytest
import torch
import torch.nn.functional as F
from review.planted import CELL, DEFECT, DUST, SIDE, Planted, question
from review.reviewing import image, judgement, square

from napari_anoclip.engine import AnoCLIPSettings
from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.engine.reference_memory import ReferenceMemory
from napari_anoclip.engine.settings import ReferenceSettings
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.engine.token_field import TokenField
from napari_anoclip.review import references
from napari_anoclip.review.exam import Question
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.references import gather


class Model(Planted):
    """The hand-made model with an identity."""

    model_id = "planted"


def settings(size: int = 1024) -> AnoCLIPSettings:
    return AnoCLIPSettings(references=ReferenceSettings(size=size))


def asked(count: int = 4, **options) -> list[Question]:
    return [question(number, **options) for number in range(count)]


def of(*told: tuple[Verdict, int, int, int], complete: bool = False, name: str = "plate") -> Question:
    """An image of which cells are judged: verdict, row, column, side; each token tells its own cell."""
    tokens = torch.zeros(SIDE * SIDE, SIDE * SIDE)
    tokens.fill_diagonal_(1)
    judgements = {
        number: judgement(number, square(row * CELL, column * CELL, side * CELL), verdict)
        for number, (verdict, row, column, side) in enumerate(told, start=1)
    }
    known = image(name, name, (SIDE * CELL,) * 2, judgements=judgements, complete=complete)
    return Question(tokens, known)


def cells(tokens: torch.Tensor) -> set[tuple[int, int]]:
    return {divmod(int(place), SIDE) for place in tokens.argmax(-1)}


def block(row: int, column: int, side: int) -> set[tuple[int, int]]:
    return {
        (r, c) for r in range(row, row + side) for c in range(column, column + side) if 0 <= r < SIDE and 0 <= c < SIDE
    }


EVERYWHERE = block(0, 0, SIDE)


class TestWhichPatches:
    def test_of_an_image_judged_in_part_those_of_regions_judged_false(self) -> None:
        memory = gather(Model(), [of((Verdict.FALSE, 2, 3, 2), (Verdict.DEFECT, 8, 8, 2))], settings())
        assert cells(memory.normal) == block(2, 3, 2)
        assert cells(memory.defect) == block(8, 8, 2)

    def test_of_a_whole_image_all_but_what_is_next_to_a_defect_or_something_unsure(self) -> None:
        told = (Verdict.FALSE, 0, 0, 2), (Verdict.DEFECT, 8, 8, 2), (Verdict.UNSURE, 3, 9, 1)
        memory = gather(Model(), [of(*told, complete=True)], settings())
        assert cells(memory.normal) == EVERYWHERE - block(7, 7, 4) - block(2, 8, 3)
        assert cells(memory.defect) == block(8, 8, 2)

    def test_a_region_judged_false_counts_up_to_the_defect_beside_it(self) -> None:
        told = (Verdict.FALSE, 4, 4, 2), (Verdict.DEFECT, 4, 6, 2)
        assert cells(gather(Model(), [of(*told)], settings()).normal) == block(4, 4, 2)

    @pytest.mark.parametrize("told", [(), ((Verdict.DEFECT, 3, 3, 2),), ((Verdict.UNSURE, 3, 3, 2),)])
    def test_where_nothing_is_known_to_be_normal_there_is_no_memory(self, told: tuple) -> None:
        assert gather(Model(), [of(*told)], settings()) is None

    def test_tokens_of_all_tiles_that_see_a_cell_are_taken(self) -> None:
        lattice = Lattice(Axis.tiled(20 * CELL, SIDE, CELL, 1.0, 0.5), Axis.fit(SIDE * CELL, SIDE))
        tiles = torch.arange(len(lattice.tiles) * SIDE * SIDE).reshape(len(lattice.tiles), -1)
        tokens = F.normalize(torch.stack([tiles.cos(), tiles.sin()], dim=-1).float(), dim=-1)

        class Tiled(Model):
            def tokens(self, source, *_, **__):
                return [TokenField(lattice, tokens, tokens[:, 0])]

        known = image(
            "t", "t", (20 * CELL, SIDE * CELL), judgements={1: judgement(1, square(8 * CELL, 0), Verdict.FALSE)}
        )
        memory = gather(Tiled(), [Question(None, known)], settings())
        seen = [
            (8 - row) * SIDE + tile * SIDE * SIDE for tile, (row, _) in enumerate(lattice.tiles) if 0 <= 8 - row < SIDE
        ]
        assert len(seen) > 1
        expected = tokens.flatten(0, 1)[seen]
        assert torch.allclose(memory.normal, expected, atol=1e-6)


class TestLabels:
    def test_say_where_each_comes_from(self) -> None:
        some = [
            of((Verdict.UNSURE, 9, 9, 1), (Verdict.FALSE, 2, 3, 1), name="leather_04"),
            of((Verdict.FALSE, 0, 0, 1), (Verdict.DEFECT, 8, 8, 2), complete=True, name="leather_05"),
            of(complete=True, name="leather_06"),
        ]
        memory = gather(Model(), some, settings())
        by_label: dict[str, set[tuple[int, int]]] = {}
        for label, token in zip(memory.labels, memory.normal, strict=True):
            by_label.setdefault(label, set()).update(cells(token[None]))
        assert by_label == {
            "region 2 in leather_04, judged false": {(2, 3)},
            "region 1 in leather_05, judged false": {(0, 0)},
            "normal part of leather_05": EVERYWHERE - block(7, 7, 4) - {(0, 0)},
            "good image leather_06": EVERYWHERE,
        }

    def test_of_those_that_are_kept_belong_to_them(self) -> None:
        memory = gather(Model(), asked(6), settings(40))
        dusty = F.normalize(memory.normal, dim=-1) @ DUST.float() > 0.5
        assert dusty.any()
        assert [label.endswith("judged false") for label in memory.labels] == dusty.tolist()


class TestSize:
    @pytest.mark.parametrize("size", [16, 50, 1024])
    def test_is_bounded_by_the_settings_however_much_was_judged(self, size: int) -> None:
        memory = gather(Model(), asked(12), settings(size))
        assert memory.counts[0] == min(size, memory.counts[0])
        assert memory.counts[0] == size or size == 1024
        assert memory.counts[1] <= size // 4

    def test_regions_judged_false_have_half_of_it_where_they_need_it(self) -> None:
        memory = gather(Model(), asked(12), settings(32))
        assert sum(label.endswith("judged false") for label in memory.labels) >= 16
        assert any(label.startswith("normal part") for label in memory.labels)

    def test_what_is_chosen_from_is_bounded_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(references, "CANDIDATES", 40)
        memory = gather(Model(), asked(4), settings())
        assert memory.counts[0] <= 4 * (10 + 8)


class TestMemory:
    def test_lowers_dust_and_not_defects_of_another_image(self) -> None:
        memory = gather(Model(), asked(6), settings())
        other = question(77)
        lowered = memory.lowering(other.source, 1, 0.1).reshape(SIDE, SIDE)
        known = {one.verdict: one.mask for one in other.judgements}
        for verdict, low, high in ((Verdict.FALSE, 0.8, 1.01), (Verdict.DEFECT, 0, 0.2)):
            row, column = (start // CELL for start in known[verdict].start)
            here = lowered[row : row + 2, column : column + 2]
            assert low <= float(here.mean()) <= high, verdict

    def test_is_the_same_each_time(self) -> None:
        first, again = (gather(Model(), asked(5), settings(64)) for _ in range(2))
        assert isinstance(first, ReferenceMemory)
        assert first == again
        assert first.model_id == "planted"

    def test_its_width_tells_how_alike_patches_that_are_no_defects_are(self) -> None:
        calm, rough = (gather(Model(), asked(3, seen=seen), settings()).width for seen in (True, False))
        assert 0 < calm < rough < 2

    def test_defects_are_counter_examples(self) -> None:
        memory = gather(Model(), asked(3), settings())
        assert torch.all(memory.defect @ DEFECT.float() > 0.5)


def test_an_image_of_another_size_is_refused() -> None:
    some = of((Verdict.FALSE, 2, 3, 2))
    other = Question(some.source, some.image.model_copy(update={"map_shape": (90, 96)}))
    with pytest.raises(ImageError, match="judged on another size"):
        gather(Model(), [other], settings())


def test_it_tells_how_far_it_is_and_stops_when_told_to() -> None:
    told = []
    blank = of()
    gather(Model(), [*asked(3), blank], settings(), on_progress=told.append)
    assert [(one.done, one.total) for one in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    flag = threading.Event()
    flag.set()
    with pytest.raises(Cancelled):
        gather(Model(), asked(3), settings(), cancel=flag)


def test_nothing_judged_has_no_memory() -> None:
    assert gather(Model(), [], settings()) is None
