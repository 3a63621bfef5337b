"""Crops on their way to the process of the model: JSON, then the pixels of each.

The sender opens documents, and one of them may have taken it over. The process of the model has more rights,
so it unpickles nothing of what it is sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from docai.files import as_text
from docai.models.engine import Request
from docai.models.heads import Decoding, get_head

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_SIDE: Final = 8192
"""Pixels: far more than any model reads."""

MAX_CROPS: Final = 10_000
"""That are sent at a time."""

MAX_ABOUT: Final = 16 << 20
"""Bytes of what is said of them."""

_CHANNELS: Final = {"L": 1, "RGB": 3}


@dataclass(frozen=True)
class Crop:
    """A request as it is sent: heads hold functions, which the process of the model has itself."""

    head: str
    image: Image
    max_tokens: int | None
    stretch: float
    decoding: Decoding | None = None
    """As a retry asks for it; None: that of the head."""
    draft: str = ""
    seconds: float | None = None
    """Until its deadline; None: it has none."""

    @classmethod
    def of(cls, request: Request) -> Crop:
        # The process of the model may be of another machine, whose clock has another beginning.
        seconds = None if request.deadline is None else request.deadline - time.monotonic()
        return cls(
            request.head.name,
            request.image,
            request.max_tokens,
            request.stretch,
            request.head.decoding,
            request.draft,
            seconds,
        )

    def request(self) -> Request:
        """Raises UnknownHeadError."""
        head = get_head(self.head)
        head = head if self.decoding is None else replace(head, decoding=self.decoding)
        deadline = None if self.seconds is None else time.monotonic() + self.seconds
        return Request(head, self.image, self.max_tokens, self.stretch, self.draft, deadline)


Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


@dataclass(frozen=True)
class _About:
    """A crop without its pixels."""

    head: Annotated[str, Field(max_length=100)]
    mode: Literal["L", "RGB"]
    width: Side
    height: Side
    max_tokens: Annotated[int, Field(ge=1, le=1 << 20)] | None
    stretch: Annotated[float, Field(gt=0, le=1000)]
    decoding: Decoding | None
    draft: str
    seconds: float | None


_ABOUTS: Final = TypeAdapter(Annotated[list[_About], Field(max_length=MAX_CROPS)])


def send_crops(connection: Connection[Any, Any], crops: Sequence[Crop]) -> None:
    """Raises OSError."""
    abouts, pixels = [], []
    for crop in crops:
        image = crop.image if crop.image.mode in _CHANNELS else crop.image.convert("RGB")
        mode: Literal["L", "RGB"] = "L" if image.mode == "L" else "RGB"
        abouts.append(
            _About(
                crop.head,
                mode,
                *image.size,
                crop.max_tokens,
                crop.stretch,
                crop.decoding,
                as_text(crop.draft),
                crop.seconds,
            )
        )
        pixels.append(image.tobytes())
    connection.send_bytes(_ABOUTS.dump_json(abouts))
    for data in pixels:
        connection.send_bytes(data)


def receive_crops(connection: Connection[Any, Any]) -> list[Crop]:
    """What :func:`send_crops` has sent.

    Raises:
        EOFError, OSError: the sender is gone, or sends more than a crop can have.
        ValueError: it sends no crops.
    """
    from PIL import Image

    crops = []
    for about in _ABOUTS.validate_json(connection.recv_bytes(MAX_ABOUT)):
        size = about.width, about.height
        n_bytes = about.width * about.height * _CHANNELS[about.mode]
        image = Image.frombytes(about.mode, size, connection.recv_bytes(n_bytes))
        crops.append(
            Crop(
                about.head,
                image,
                about.max_tokens,
                about.stretch,
                about.decoding,
                about.draft,
                about.seconds,
            )
        )
    return crops
