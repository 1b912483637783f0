"""Command-line options made of settings models: every field becomes one, with its type, bounds, default and words.

As the dock's forms, they are derived from the declaration: no setting is typed a second time.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from napari_anoclip.engine.errors import AnoCLIPError

Model = TypeVar("Model", bound=BaseModel)

_PLAIN = (bool, int, float, str, Path)

_PREFIX = "Value error, "
"""What pydantic puts before the sentence of a validator."""


@dataclass(frozen=True)
class OptionGroup:
    """The options of one settings model.

    Attributes
    ----------
    model : type of BaseModel
        The declaration.
    prefix : str
        Before each field's name, such as "scoring" for ``--scoring-temperature``; empty for none.
    panel : str
        Title of the group in the help.
    names : mapping
        Fields that have a well-known name of their own, such as ``--tta/--no-tta``.
    only : tuple of str
        The fields that become options; empty for all that are no models themselves.
    """

    model: type[BaseModel]
    prefix: str
    panel: str
    names: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """The fields that become options."""
        declared = self.model.model_fields
        return {
            name: info
            for name, info in declared.items()
            if (name in self.only if self.only else not _is_model(info.annotation))
        }

    def parameter_name(self, name: str) -> str:
        """Name of a field's parameter: unlike any other's of a command."""
        return f"{self.model.__name__.lower()}_{name}"

    def flag(self, name: str) -> str:
        """How a field's option is written; for a switch, both ways."""
        if name in self.names:
            return self.names[name]
        words = "-".join(filter(None, [self.prefix, *name.split("_")]))
        return f"--{words}/--no-{words}" if self.model.model_fields[name].annotation is bool else f"--{words}"

    def parameters(self) -> Iterable[Parameter]:
        """One parameter for each option, as typer reads it from a function's signature."""
        for name, info in self.fields.items():
            kind, shown = _spoken(info)
            option = typer.Option(
                self.flag(name),
                help=info.description or "",
                rich_help_panel=self.panel,
                callback=_checked(self.model, name, info),
                show_default=info.default is not None,
                **shown,
            )
            default = _as_typed(info.get_default(call_default_factory=True), kind)
            yield Parameter(
                self.parameter_name(name), Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
            )


@dataclass(frozen=True)
class Chosen:
    """What of the generated options stands on the command line; the rest is left to files, presets and defaults.

    Attributes
    ----------
    values : mapping
        By model and field.
    """

    values: Mapping[type[BaseModel], Mapping[str, Any]]

    def over(self, base: Model) -> Model:
        """Put the options that were given over a model's values, and over those of the models in it.

        Parameters
        ----------
        base : BaseModel
            What counts where nothing was given.

        Returns
        -------
        BaseModel
            Of the same type.

        Raises
        ------
        typer.BadParameter
            If the values do not go together.
        """
        changed: dict[str, Any] = dict(self.values.get(type(base), {}))
        for name, value in dict(base).items():
            if isinstance(value, BaseModel):
                inner = self.over(value)
                if inner != value:
                    changed[name] = inner
        if not changed:
            return base
        try:
            return type(base).model_validate({**dict(base), **changed})
        except ValidationError as error:
            raise typer.BadParameter(message_of(error)) from error

    def names(self, model: type[BaseModel]) -> tuple[str, ...]:
        """The fields of a model that were given."""
        return tuple(self.values.get(model, {}))


def chosen(groups: Iterable[OptionGroup], context: typer.Context, arguments: dict[str, Any]) -> Chosen:
    """Take the generated options out of a call's arguments.

    Parameters
    ----------
    groups : iterable of OptionGroup
        Those whose parameters the command has.
    context : Context
        Of the call; it knows what was typed.
    arguments : dict
        Of the call; the generated ones are removed.

    Returns
    -------
    Chosen
    """
    values: dict[type[BaseModel], dict[str, Any]] = {}
    for group in groups:
        for name, info in group.fields.items():
            key = group.parameter_name(name)
            value = arguments.pop(key)
            source = context.get_parameter_source(key)
            if source is not None and source.name == "COMMANDLINE":
                values.setdefault(group.model, {})[name] = _as_declared(info, value)
    return Chosen(values)


def message_of(error: ValidationError) -> str:
    """The first thing that is wrong, in pydantic's words, with the field's name where there is one."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    said = str(first["msg"]).removeprefix(_PREFIX)
    return f"{where}: {said}" if where else said


def _spoken(info: FieldInfo) -> tuple[Any, dict[str, Any]]:
    """The type that typer is told, and what it shows of it."""
    bare = _without_none(info.annotation)
    optional = bare is not info.annotation
    if get_origin(bare) is Literal:
        kind: Any = Literal[tuple(str(choice) for choice in get_args(bare))]
        return (kind | None if optional else kind), {}
    if bare not in _PLAIN:  # several values in one word: typer's own way would have the option again and again
        return (str | None if optional else str), {"metavar": "A,B,…"}
    low, high = (next((b for b in info.metadata if isinstance(b, kinds)), None) for kinds in ((Ge, Gt), (Le, Lt)))
    # Not as typer's `min` and `max`: it knows bounds that belong to the range only.
    shown = {} if low is high is None else {"metavar": f"{_bound(low, 'left')}x{_bound(high, 'right')}"}
    return (bare | None if optional else bare), shown


def _bound(bound: Ge | Gt | Le | Lt | None, side: Literal["left", "right"]) -> str:
    if bound is None:
        return ""
    sign = "<=" if isinstance(bound, Ge | Le) else "<"
    value = getattr(bound, type(bound).__name__.lower())
    return f"{value:.10g}{sign}" if side == "left" else f"{sign}{value:.10g}"


def _checked(model: type[BaseModel], name: str, info: FieldInfo) -> Callable[[Any], Any]:
    """A callback that has the model itself judge a value, and says what is wrong of it as typer does."""

    def check(value: Any) -> Any:
        if value is not None:
            try:
                model.model_validate({name: _as_declared(info, value)})
            except ValidationError as error:
                # Other fields of the model may have no default: they are no business of this option.
                wrong = [detail["msg"] for detail in error.errors() if detail["loc"][:1] == (name,)]
                if wrong:
                    raise typer.BadParameter(wrong[0].removeprefix(_PREFIX)) from error
            except AnoCLIPError as error:  # a validator's own sentence, which pydantic lets through
                raise typer.BadParameter(str(error)) from error
        return value

    return check


def _as_typed(value: Any, kind: Any) -> Any:
    """A default as one would type it."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value) if get_origin(_without_none(kind)) is Literal and value is not None else value


def _as_declared(info: FieldInfo, value: Any) -> Any:
    """What was typed, as the field has it."""
    bare = _without_none(info.annotation)
    if value is None:
        return None
    if get_origin(bare) is Literal:
        return next((choice for choice in get_args(bare) if str(choice) == value), value)
    if bare not in _PLAIN and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _without_none(annotation: Any) -> Any:
    """The type of an optional value; any other as it is."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    return next(part for part in get_args(annotation) if part is not types.NoneType)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
