"""A memory lowers what looks like a normal reference, by as much as it should, and nothing that looks like a defect."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from napari_anoclip.engine import reference_memory
from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.reference_memory import FAR, REACH, ReferenceMemory, nearest, spread, typical_distance

WIDTH, TEMPERATURE = 0.3, 0.05


def at_distance(distance: float, of: int = 0, towards: int = 1, size: int = 8) -> torch.Tensor:
    """A unit vector (size,) so far from one axis, in the direction of another."""
    angle = 2 * math.asin(distance / 2)
    token = torch.zeros(size, dtype=torch.float64)
    token[of], token[towards] = math.cos(angle), math.sin(angle)
    return token.float()


def drawn(count: int, seed: int = 0, size: int = 8) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


NORMAL = torch.eye(8)[:1]
MEMORY = ReferenceMemory.of("tiny", NORMAL, ["region 12 in leather_04, judged false"], WIDTH)


class TestLowering:
    def test_follows_its_formula(self) -> None:
        normal, defect, tokens = drawn(30), drawn(7, 1), 5 * drawn(200, 2)
        memory = ReferenceMemory.of("tiny", normal, ["x"] * 30, 0.5, defect)
        lowered = memory.lowering(tokens, 0.7, TEMPERATURE)
        unit = [F.normalize(part.double(), dim=-1) for part in (tokens, normal, defect)]
        to_normal, to_defect = (torch.cdist(unit[0], part).amin(-1) for part in unit[1:])
        near = torch.exp(-((to_normal / (FAR * 0.5)) ** 2))
        expected = 0.7 * REACH * TEMPERATURE * near * (to_defect / to_normal).clamp_max(1)
        assert torch.allclose(lowered.double(), expected, atol=1e-5)
        assert 0 < (near > 0.5).float().mean() < 1

    def test_is_nothing_at_strength_0_and_grows_with_it_up_to_the_reach(self) -> None:
        lowered = [float(MEMORY.lowering(NORMAL[0], strength, TEMPERATURE)) for strength in (0, 0.25, 0.5, 1)]
        assert lowered[0] == 0
        assert lowered == pytest.approx([strength * REACH * TEMPERATURE for strength in (0, 0.25, 0.5, 1)])

    def test_fades_with_the_distance_in_widths(self) -> None:
        distances = [0, 0.5, 1, FAR, 2 * FAR, 3 * FAR]
        tokens = torch.stack([at_distance(WIDTH * distance) for distance in distances])
        shares = MEMORY.lowering(tokens, 1, TEMPERATURE) / (REACH * TEMPERATURE)
        assert shares.tolist() == pytest.approx([1, 0.895, 0.641, 0.368, 0.018, 0], abs=1e-3)

    def test_is_held_back_where_a_defect_is_nearer(self) -> None:
        # The defect is one width from the reference, and tokens lie between them.
        counter = at_distance(WIDTH)[None]
        memory = ReferenceMemory.of("tiny", NORMAL, ["x"], WIDTH, counter)
        tokens = torch.stack([at_distance(WIDTH * share) for share in (0, 0.4, 0.6, 0.8, 1)])
        held, free = (one.lowering(tokens, 1, TEMPERATURE) for one in (memory, MEMORY))
        assert torch.allclose(held[:2], free[:2], atol=1e-5)
        assert torch.all(held[2:].diff() < 0)
        assert torch.all(held[2:] < free[2:])
        assert float(held[-1]) == pytest.approx(0, abs=1e-3)

    def test_does_not_depend_on_lengths_or_shapes_or_on_how_many_are_asked_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory = ReferenceMemory.of("tiny", 3 * drawn(20), ["x"] * 20, 0.9, 0.1 * drawn(5, 1))
        tokens = drawn(60, 2)
        whole = memory.lowering(tokens, 1, TEMPERATURE)
        assert torch.allclose(memory.lowering(7 * tokens.reshape(3, 20, 8), 1, TEMPERATURE).flatten(), whole, atol=1e-6)
        monkeypatch.setattr(reference_memory, "_CHUNK_BYTES", 700)
        assert torch.allclose(memory.lowering(tokens, 1, TEMPERATURE), whole, atol=1e-6)


class TestMemory:
    def test_says_which_reference_a_token_is_most_like(self) -> None:
        memory = ReferenceMemory.of("tiny", torch.eye(8)[:3], ["first", "second", "third"], WIDTH)
        assert memory.label(at_distance(0.2, of=1, towards=7)) == "second"

    def test_is_refused_by_another_model_with_a_sentence(self) -> None:
        MEMORY.check("tiny")
        with pytest.raises(
            ModelError, match=r"gathered with another model: gather them again .* or switch references off"
        ):
            MEMORY.check("other")

    def test_is_named_by_all_that_it_does(self) -> None:
        told = {
            "model_id": "tiny", "normal": drawn(4), "labels": ["a", "b", "c", "d"], "width": 0.3, "defect": drawn(2, 1)
        }  # fmt: skip
        first = ReferenceMemory.of(**told)
        assert first == ReferenceMemory.of(**told)
        assert len({first, ReferenceMemory.of(**told)}) == 1
        others = {
            "model_id": "other", "normal": drawn(4, 5), "labels": ["a", "b", "c", "e"], "width": 0.4, "defect": None
        }  # fmt: skip
        for name, value in others.items():
            assert first != ReferenceMemory.of(**told | {name: value}), name
        # What is normal and what speaks against it is not the same, though all tokens together are.
        swapped = {"normal": drawn(4)[:3], "labels": ["a", "b", "c"], "defect": torch.cat([drawn(4)[3:], drawn(2, 1)])}
        assert first != ReferenceMemory.of(**told | swapped)

    def test_tells_its_provenance_in_plain_types(self) -> None:
        memory = ReferenceMemory.of("tiny", drawn(4), ["a"] * 4, 0.3, drawn(2, 1))
        assert memory.counts == (4, 2)
        assert memory.provenance == {"digest": memory.digest, "normal": 4, "defect": 2, "width": 0.3}

    @pytest.mark.parametrize(
        ("normal", "labels", "width"), [(drawn(0), [], 1.0), (drawn(2), ["a"], 1.0), (drawn(1), ["a"], 0.0)]
    )
    def test_without_what_it_needs_there_is_none(self, normal: torch.Tensor, labels: list[str], width: float) -> None:
        with pytest.raises(ValueError, match="a memory needs"):
            ReferenceMemory.of("tiny", normal, labels, width)


class TestNearest:
    def test_is_the_nearest_of_all(self) -> None:
        tokens, references = F.normalize(drawn(50, 3), dim=-1), F.normalize(drawn(9), dim=-1)
        distances, rows = nearest(tokens, references)
        expected = torch.cdist(tokens, references)
        assert torch.equal(rows, expected.argmin(-1))
        assert torch.allclose(distances, expected.amin(-1), atol=1e-5)


class TestTypicalDistance:
    def test_is_what_most_patches_find_in_other_images(self) -> None:
        one, two, three = drawn(40), drawn(30, 1), drawn(20, 2)
        unit = [F.normalize(part, dim=-1) for part in (one, two, three)]
        found = [torch.cdist(part, torch.cat([other for other in unit if other is not part])).amin(-1) for part in unit]
        expected = float(torch.cat(found).quantile(0.8))
        assert typical_distance([one, two, three], 0.8) == pytest.approx(expected, abs=1e-5)

    def test_of_a_single_image_is_that_to_its_other_patches(self) -> None:
        tokens = drawn(40)
        apart = torch.cdist(F.normalize(tokens, dim=-1), F.normalize(tokens, dim=-1)).fill_diagonal_(9)
        expected = float(apart.amin(-1).quantile(0.9))
        assert typical_distance([tokens, drawn(0)]) == pytest.approx(expected, abs=1e-4)

    def test_leaves_room_where_images_are_the_same(self) -> None:
        assert typical_distance([drawn(5), drawn(5)]) > 0

    def test_needs_two_patches(self) -> None:
        with pytest.raises(ValueError, match="two patches"):
            typical_distance([drawn(1)])


class TestSpread:
    def test_takes_the_farthest_each_time(self) -> None:
        tokens = F.normalize(drawn(40), dim=-1)
        chosen = spread(tokens, 10, [3])
        assert chosen[0] == 3
        for place in range(1, 10):
            far = torch.cdist(tokens, tokens[chosen[:place]]).amin(-1)
            assert far[chosen[place]] == pytest.approx(float(far.max()), abs=1e-4)

    def test_covers_small_groups_as_well(self) -> None:
        groups = torch.eye(8).repeat_interleave(torch.tensor([200, 100, 50, 20, 10, 5, 2, 1]), 0)
        tokens = groups + 0.01 * drawn(len(groups))
        assert {int(tokens[row].argmax()) for row in spread(tokens, 8)} == set(range(8))

    def test_takes_all_where_they_are_few_and_keeps_what_it_begins_with(self) -> None:
        assert sorted(spread(drawn(5), 9)) == [0, 1, 2, 3, 4]
        assert spread(drawn(5), 5, [4, 2]) == [4, 2, 0, 1, 3]
        assert spread(drawn(9), 4, [8, 7])[:2] == [8, 7]

    def test_takes_none_twice_where_many_are_the_same(self) -> None:
        same = torch.cat([drawn(1, size=33).repeat(50, 1), drawn(2, 1, size=33)])
        chosen = spread(same, 20)
        assert len(set(chosen)) == len(chosen) == 20
        assert {50, 51} <= set(chosen)
