"""Files as accidents and enemies leave them: seeded changes of bytes, and values that make no sense."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

HOSTILE_BYTES = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\t", b"\x1b[2J", b"\x85", "\u2028".encode(), b"\xed\xa0\x80"),
    *(b"!!python/object/apply:os.system ['false']", b"!!binary ", b"!!timestamp x", b"!!int ''", b"!!bool x", b"!x "),
    *(
        b"&a ",
        b"*a",
        b"<<: ",
        b"? ",
        b"- ",
        b"|\n",
        b">-\n",
        b"%YAML 9.9\n",
        b"---\n",
        b"...\n",
        b"{",
        b"[",
        b"}",
        b"]",
    ),
    *(b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"-1", b"null", b"true"),
    *(b"[" * 3000, b'{"a":' * 3000, b"- " * 1500, b"../" * 40, b"/dev/zero", b"A" * 5000),
)
HOSTILE_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1 << 31, 1 << 63, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", " ", "0"),
    *(
        "\x00",
        "\ud800",
        "../../x",
        "/etc/passwd",
        "/dev/zero",
        "C:\\x",
        "a" * 5000,
        "<script>",
        "{{7*7}}",
        "={1}",
        "\u202e",
    ),
    *(
        [],
        {},
        [[]],
        {"": ""},
        [None],
        [1e9, 1e9],
        [1 << 40, 1 << 40],
        {"start": [0, 0], "shape": [1, 1], "runs": [0, 1]},
    ),
    *(
        {"start": [0, 0], "shape": [1 << 20, 1 << 20], "runs": [0, 1 << 40]},
        {"start": [-5, 0], "shape": [1], "runs": [1]},
    ),
)


def bytes_of(data: bytes, random: Random) -> bytes:
    """Change a few places of a file."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at = random.randrange(len(changed) + 1)
        length = random.choice((1, 1, 2, 8, 60, 500))
        deed = random.randrange(6)
        if deed == 0:
            changed[at : at + length] = b""
        elif deed == 1:
            changed[at : at + length] = random.randbytes(length)
        elif deed == 2:
            changed[at:at] = random.choice(HOSTILE_BYTES)
        elif deed == 3:
            changed[at:at] = changed[at : at + length] * random.choice((1, 2, 50))
        elif deed == 4:
            del changed[at:]
        elif at < len(changed):
            changed[at] ^= 1 << random.randrange(8)
    return bytes(changed)


def values_of(value: Any, random: Random) -> Any:
    """Change a few of the values that a JSON or YAML file stands for."""
    whole = [copy.deepcopy(value)]
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = list(_places(whole))
        holder, key = random.choice(places)
        deed = random.randrange(5)
        if deed == 0 and holder is not whole:
            del holder[key]
        elif deed == 1:
            holder[key] = copy.deepcopy(random.choice([there[at] for there, at in places]))
        elif deed == 2 and isinstance(holder, dict):
            holder[random.choice(("", "x", "id", "text", "on", "\x00"))] = holder.pop(key)
        elif deed == 3 and isinstance(holder[key], list):
            holder[key] = holder[key] * random.choice((2, 30))
        else:
            holder[key] = copy.deepcopy(random.choice(HOSTILE_VALUES))
    return whole[0]


def _places(holder: Any) -> Any:
    """Every place of a value, as what holds it and under which key."""
    pairs = enumerate(holder) if isinstance(holder, list) else holder.items()
    for key, value in list(pairs):
        yield holder, key
        if isinstance(value, list | dict):
            yield from _places(value)
