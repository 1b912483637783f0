"""A form made from a pydantic settings model: every field becomes a control, its description the tooltip."""

from __future__ import annotations

import math
import types
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, SpinBox
from magicgui.widgets.bases import RangedWidget, ValueWidget
from psygnal import Signal
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_anoclip.plugin.style import ignore_wheel_unless_focused

Settings = TypeVar("Settings", bound=BaseModel)

EMPTY_TEXT = "model's own"
"""What an optional number shows when it is None."""


class SettingsForm(Generic[Settings]):
    """Controls for the fields of one settings model.

    Parameters
    ----------
    model : type of BaseModel
        The settings; fields that are models themselves are left to forms of their own.
    without : collection of str
        Fields that have their control elsewhere. They keep their default in `value`.

    Attributes
    ----------
    native : QWidget
        The form.
    changed : psygnal.Signal
        Emitted with no argument whenever a control is set, and once when all are set through `value` to something else.
    """

    changed = Signal()

    def __init__(self, model: type[Settings], without: tuple[str, ...] = ()) -> None:
        self._model = model
        self._fields = {
            name: _control(name, field)
            for name, field in model.model_fields.items()
            if name not in without and not _is_model(field.annotation)
        }
        self.native = QWidget()
        rows = QFormLayout(self.native)
        rows.setContentsMargins(12, 0, 0, 4)
        rows.setVerticalSpacing(4)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for control in self._fields.values():
            ignore_wheel_unless_focused(control.native)
            control.native.setAccessibleName(control.label)
            control.native.setAccessibleDescription(control.tooltip)
            control.changed.connect(self._on_control)
            rows.addRow(control.label, control.native)
            rows.labelForField(control.native).setToolTip(control.tooltip)

    @property
    def value(self) -> Settings:
        """The settings as they are set now."""
        return self._model(**{name: self._read(name) for name in self._fields})

    @value.setter
    def value(self, settings: Settings) -> None:
        before = self.value
        with self.changed.blocked():
            for name, control in self._fields.items():
                wanted = getattr(settings, name)
                control.value = control.min if wanted is None and isinstance(control, RangedWidget) else wanted
        if self.value != before:
            self.changed.emit()

    def control(self, name: str) -> ValueWidget:
        """The control of one field."""
        return self._fields[name]

    def _on_control(self) -> None:
        self.changed.emit()

    def _read(self, name: str) -> Any:
        control = self._fields[name]
        if isinstance(control, RangedWidget) and _is_optional(self._model.model_fields[name]):
            return None if control.value == control.min else control.value
        return control.value


def _control(name: str, field: FieldInfo) -> ValueWidget:
    """The control of one field; its bounds, default and description come from the field alone."""
    kind = next(a for a in (get_args(field.annotation) or (field.annotation,)) if a is not types.NoneType)
    common: dict[str, Any] = {
        "name": name,
        "label": field.title or name.replace("_", " ").capitalize(),
        "tooltip": field.description,
    }
    if get_origin(field.annotation) is Literal:
        choices = [(str(choice).replace("_", " "), choice) for choice in get_args(field.annotation)]
        return ComboBox(choices=choices, value=field.default, **common)
    if kind is bool:
        box = CheckBox(value=field.default, **common)
        box.native.setText("")  # the form shows the label
        return box
    return _number(field, kind, common)


def _number(field: FieldInfo, kind: type, common: dict[str, Any]) -> ValueWidget:
    """A spin box; of an optional number, its lowest place says `EMPTY_TEXT` and stands for None."""
    low, high = _bounds(field)
    optional = _is_optional(field)
    if kind is int and not optional:
        return SpinBox(value=field.default, min=low, max=high, **common)
    decimals = 0 if kind is int else 4 if optional else _decimals(field.default)
    exclusive = any(isinstance(bound, Gt) for bound in field.metadata)
    smallest_step = 10.0**-decimals
    if optional and not exclusive:
        low -= smallest_step
    elif exclusive and not optional:
        low += smallest_step
    box = FloatSpinBox(value=high, min=low, max=high, **common)
    box.native.setDecimals(decimals)
    box.min, box.max = low, high  # once more, now that the decimals for them are there
    box.value = low if field.default is None else field.default
    if optional:
        box.native.setSpecialValueText(EMPTY_TEXT)
    return box


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    low = next(b.gt if isinstance(b, Gt) else b.ge for b in field.metadata if isinstance(b, Gt | Ge))
    high = next(b.lt if isinstance(b, Lt) else b.le for b in field.metadata if isinstance(b, Lt | Le))
    return low, high


def _decimals(default: float) -> int:
    """Two digits more than the default's first one, so that it can be halved and halved again."""
    return max(2, 2 - math.floor(math.log10(default)))


def _is_optional(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (Union, types.UnionType) and types.NoneType in get_args(field.annotation)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
