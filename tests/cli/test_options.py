"""Options made of settings models: all of them, with the model's own types, bounds and words."""

from __future__ import annotations

import io
from typing import Annotated, Literal

import pytest
from cli.calling import RUNNER, commands
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rich.console import Console

from napari_anoclip.batch.protocol import Protocol
from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli import groups, options
from napari_anoclip.cli.asked import idle, settings_of
from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.exits import Interrupt
from napari_anoclip.cli.options import Chosen, OptionGroup
from napari_anoclip.engine import settings as engine_settings
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings, MutualSettings, TilingSettings
from napari_anoclip.review.regions import RegionSettings

METHOD = (
    engine_settings.ScoringSettings,
    engine_settings.AdaptationSettings,
    engine_settings.TilingSettings,
    engine_settings.MutualSettings,
    ModelSpec,
)


class Sizes(BaseModel):
    """Settings of every sort that there is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: float | None = Field(None, gt=0, le=10, description="How [wide] it is.")
    height: int = Field(3, ge=1, le=9, description="How high it is.")
    views: Literal[1, 22] = Field(1, description="How often.")
    round: bool = Field(True, description="Whether it is round.")
    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 3), min_length=1, description="Which steps.")
    name: str = Field("thing", description="What it is called.")

    @model_validator(mode="after")
    def _check(self) -> Sizes:
        if self.name == "tower" and self.height < 5:
            raise ValueError("a tower is higher than 4")
        return self


SIZES = OptionGroup(Sizes, "size", "Sizes", names={"round": "--round/--square"})


def sized(*words: str) -> tuple[int, object, str]:
    """What a command with these options takes from words: exit code, the sizes, what was said."""
    app = alone()
    seen: list[object] = []

    @command(app, SIZES, examples=["anoclip measure"])
    def measure(call: Call) -> None:
        """Measure."""
        seen.append((call.chosen.over(Sizes()), call.chosen.names(Sizes)))

    result = RUNNER.invoke(app, list(words))
    return result.exit_code, seen[0] if seen else None, " ".join(result.output.replace("│", " ").split())


def test_nothing_given_is_nothing_chosen() -> None:
    assert sized()[:2] == (0, (Sizes(), ()))


def test_what_is_given_has_the_models_own_types() -> None:
    code, seen, _ = sized(
        *("--size-width", "2.5", "--size-height", "4", "--size-views", "22", "--square", "--size-steps", "1,5, 7"),
    )
    assert code == 0
    assert seen == (
        Sizes(width=2.5, height=4, views=22, round=False, steps=(1, 5, 7)),
        ("width", "height", "views", "round", "steps"),
    )


def test_a_default_that_is_typed_counts_as_given() -> None:
    assert sized("--size-height", "3")[1] == (Sizes(), ("height",))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size-height", "0"), "'--size-height'"),
        (("--size-height", "ten"), "'--size-height'"),
        (("--size-width", "0"), "'--size-width': Input should be greater than 0"),
        (("--size-width", "11"), "'--size-width': Input should be less than or equal to 10"),
        (("--size-views", "2"), "'--size-views'"),
        (("--size-steps", "1,0"), "'--size-steps': Input should be greater than or equal to 1"),
        (("--size-steps", ""), "'--size-steps'"),
        (("--size-name", "tower"), "a tower is higher than 4"),
    ],
)
def test_what_a_field_does_not_allow_is_wrong_usage(words: tuple[str, ...], said: str) -> None:
    code, seen, output = sized(*words)
    assert (code, seen) == (2, None)
    assert "Invalid value" in output
    assert said in output
    assert "Traceback" not in output


def test_the_help_has_words_bounds_and_defaults_of_the_model() -> None:
    code, _, output = sized("--help")
    assert code == 0
    for part in (
        "How [wide] it is.",
        "0<x<=10",
        "1<=x<=9",
        "[default: 3]",
        "1|22",
        "[default: 1, 3]",
        "[default: on]",
        "Sizes",
    ):
        assert part in output


@pytest.mark.parametrize("name", ["run", "evaluate"])
@pytest.mark.parametrize("model", METHOD, ids=lambda model: model.__name__)
def test_every_field_of_the_method_is_an_option(name: str, model: type[BaseModel]) -> None:
    parameters = {parameter.name: parameter for parameter in commands()[name].params}
    for field, info in model.model_fields.items():
        parameter = parameters[f"{model.__name__.lower()}_{field}"]
        assert parameter.help == info.description
        assert parameter.opts[0].startswith("--")


def test_every_field_of_regions_output_and_cluster_is_an_option_of_run() -> None:
    from napari_anoclip.batch.cluster import ClusterSettings
    from napari_anoclip.batch.outputs import OutputSettings

    names = {parameter.name for parameter in commands()["run"].params}
    for model in (RegionSettings, OutputSettings, ClusterSettings):
        fields = set(model.model_fields) - {"volume"}  # planes of a stack are images of their own there
        assert {f"{model.__name__.lower()}_{field}" for field in fields} <= names
    assert "regionsettings_volume" not in names


def test_well_known_options_have_their_short_names() -> None:
    spoken = {
        option for parameter in commands()["run"].params for option in [*parameter.opts, *parameter.secondary_opts]
    }
    assert {"--model", "--device", "--tta", "--no-tta", "--mutual", "--threshold", "--scoring-temperature"} <= spoken


def test_no_two_options_of_a_command_share_a_name() -> None:
    for name, one in commands().items():
        spoken = [option for parameter in one.params for option in [*parameter.opts, *parameter.secondary_opts]]
        assert len(spoken) == len(set(spoken)), name


def test_options_reach_the_settings_within_settings() -> None:
    chosen = options.Chosen({engine_settings.ScoringSettings: {"temperature": 0.5}, AnoCLIPSettings: {"vv_blocks": 6}})
    settings = settings_of(chosen, AnoCLIPSettings.paper(), None)
    assert settings.scoring == AnoCLIPSettings.paper().scoring.model_copy(update={"temperature": 0.5})
    assert (settings.vv_blocks, settings.adaptation.enabled) == (6, True)


def test_settings_that_are_not_offered_are_named_here() -> None:
    """Those that nobody can use in a batch: references need a review."""
    offered = {group.model for group in groups.METHOD}
    inner = {info.annotation for info in AnoCLIPSettings.model_fields.values() if isinstance(info.annotation, type)}
    assert {model for model in inner if issubclass(model, BaseModel)} - offered == {engine_settings.ReferenceSettings}


def test_typer_is_told_the_truth_about_the_options_of_a_plain_function() -> None:
    app = alone()
    seen = []

    @command(app, examples=["anoclip greet Ada"])
    def greet(call: Call, name: str, loud: bool = False) -> None:
        """Greet."""
        seen.append((name, loud, call.json))

    assert RUNNER.invoke(app, ["Ada", "--loud", "--json"]).exit_code == 0
    assert seen == [("Ada", True, True)]


def test_options_of_what_is_off_are_said_to_change_nothing() -> None:
    said = io.StringIO()
    chosen = Chosen(
        {
            AdaptationSettings: {"steps": 9, "enabled": False},
            MutualSettings: {"weight": 1.0},
            TilingSettings: {"scale": 2.0, "side": 96},
            Protocol: {"squares": "cut", "neighbours": (1,)},
        }
    )
    call = Call(False, chosen, Interrupt(lambda: None), "", Console(file=said, width=100))
    idle(call, AnoCLIPSettings(mutual=MutualSettings(enabled=True)))
    assert said.getvalue().splitlines() == [
        "--adaptation-steps: nothing is changed by that without --tta.",
        "--tiling-scale: nothing is changed by that without --tiling-mode tiles or both.",
    ]
    said.truncate(0)
    idle(call, AnoCLIPSettings())
    assert "--neighbours: nothing is changed by that without --mutual." in said.getvalue()
