"""What a user calls: :func:`process`, :func:`read`, :func:`parse`, and :class:`Pipeline` for many calls."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from docai.base import MAX_REPR, one_line
from docai.document import Document
from docai.errors import EmptySourceError, SettingError
from docai.limits import Limits
from docai.models.heads import get_head
from docai.options import ModelOptions, Options
from docai.page_ranges import PageSelection
from docai.records import RecordBase

if TYPE_CHECKING:
    from PIL.Image import Image

    from docai.models.engine import Engine
    from docai.options import Drawings, Effort, ReadBackSetting, Retry, TextLayer, Witnesses
    from docai.pipelines.layout.given import GivenRegions
    from docai.pipelines.page_reading import ProgressCallback


class Pipeline:
    """Keeps one model for many documents. It is loaded at the first call that needs it.

    Args:
        model: an embedded model's name (``"nano"``), a local folder, a hub id such as
            ``org/name@revision`` whose files are already on this machine, or a model server that you run,
            ``"http://127.0.0.1:8000#name"``: regions are then sent there, see docs/serving.md.
        device: ``"auto"`` (CUDA where there is one, else CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …
        model_options: how the model is run: number format, answers at a time, adapters of your own, see
            :class:`docai.ModelOptions`.
        heads, text_layer, drawings, witnesses, effort, readback, retry, limits: the fields of
            :class:`docai.options.Options`, which says what each does.
        engine: answers in place of ``model``, such as :class:`docai.ScriptedEngine` in tests.

    Raises:
        SettingError: an argument has a value that it cannot have.
        UnknownHeadError: a head of that name does not exist.
    """

    def __init__(
        self,
        model: str | Path = "nano",
        *,
        device: str = "auto",
        model_options: ModelOptions | None = None,
        heads: Collection[str] | None = None,
        text_layer: TextLayer = "prefer",
        drawings: Drawings = "prefer",
        witnesses: Witnesses = "auto",
        effort: Effort = "auto",
        readback: ReadBackSetting = "auto",
        retry: Retry = "off",
        limits: Limits | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._model = model
        self._device = device
        self._engine = engine
        self._model_options = ModelOptions() if model_options is None else model_options
        self._options = Options(
            heads=heads,
            text_layer=text_layer,
            drawings=drawings,
            witnesses=witnesses,
            effort=effort,
            readback=readback,
            retry=retry,
            limits=Limits() if limits is None else limits,
        )
        _check_model(model, device, engine)
        _check_model_options(self._model_options, engine)
        for name in sorted(self._options.heads or ()):
            get_head(name)

    @classmethod
    def with_options(
        cls,
        options: Options,
        model: str | Path = "nano",
        *,
        device: str = "auto",
        model_options: ModelOptions | None = None,
        engine: Engine | None = None,
    ) -> Pipeline:
        """A pipeline that reads as ``options`` say; the other arguments are those of :class:`Pipeline`."""
        return cls(
            model,
            device=device,
            model_options=model_options,
            heads=options.heads,
            text_layer=options.text_layer,
            drawings=options.drawings,
            witnesses=options.witnesses,
            effort=options.effort,
            readback=options.readback,
            retry=options.retry,
            limits=options.limits,
            engine=engine,
        )

    def __repr__(self) -> str:
        """Says what it is set to, and what it runs on once the model is loaded; loads nothing."""
        model = Path(self._model).name if self._engine is None else self._engine.name
        device = self._device if self._engine is None else self._engine.device
        options = f"text_layer={self._options.text_layer!r}, drawings={self._options.drawings!r}"
        return f"<{one_line(f'Pipeline {model} on {device}, {options}', MAX_REPR - 2)}>"

    @property
    def options(self) -> Options:
        """How it reads."""
        return self._options

    @property
    def engine(self) -> Engine:
        """The engine, loaded on first use.

        Raises:
            UnknownModelError, CheckpointError, DeviceError: the model cannot be loaded.
            ServerError: the server of the model is down, or does not answer as one.
        """
        if self._engine is None:
            from docai.models.selection import load_engine

            self._engine = load_engine(self._model, device=self._device, options=self._model_options)
        return self._engine

    def _reader(self) -> Engine:
        """The engine, or what stands for it until a region is put to it."""
        if self._engine is not None:
            return self._engine
        from docai.models.client_address import is_server
        from docai.models.engine import LazyEngine
        from docai.models.selection import describe_model

        if self._device not in ("auto", "cpu") and not is_server(self._model):
            from docai.models.loading import choose_device

            # Before anything is read.
            choose_device(self._device)
        about = describe_model(self._model, options=self._model_options)
        return LazyEngine(about.name, about.heads, lambda: self.engine, side=about.side, base=about.base)

    def process(
        self,
        source: str | Path | bytes | BinaryIO,
        *,
        pages: PageSelection | None = None,
        password: str | None = None,
        regions: GivenRegions | None = None,
        progress: ProgressCallback | None = None,
    ) -> Document:
        """Read a PDF or image into a :class:`Document`; arguments and errors are those of :func:`process`."""
        from docai.pipelines.convert import convert
        from docai.pipelines.ingest import open_source
        from docai.pipelines.layout.given import check_given

        check_given({} if regions is None else regions)
        _check_call(password, progress)
        with open_source(source, password=password, limits=self._options.limits) as opened:
            # Before the model is loaded, which may take long; and an iterator gives its numbers once.
            numbers = opened.numbers(pages)
            return convert(
                opened, self._reader(), self._options, pages=numbers, regions=regions, progress=progress
            )

    def read(
        self,
        image: Image | str | Path | bytes | BinaryIO,
        head: str,
        *,
        password: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> RecordBase:
        """Read one image, or the first page of a document, as one region, with whatever head it names.

        Arguments and errors are those of :func:`read`.
        """
        from docai.pipelines.convert import read_page
        from docai.pipelines.ingest import open_source

        name = get_head(head).name
        _check_call(password, progress)
        with open_source(_as_source(image), password=password, limits=self._options.limits) as opened:
            return read_page(opened, self._reader(), self._options, name, progress=progress)


def process(
    source: str | Path | bytes | BinaryIO,
    *,
    pages: PageSelection | None = None,
    password: str | None = None,
    regions: GivenRegions | None = None,
    model: str | Path = "nano",
    device: str = "auto",
    model_options: ModelOptions | None = None,
    heads: Collection[str] | None = None,
    text_layer: TextLayer = "prefer",
    drawings: Drawings = "prefer",
    witnesses: Witnesses = "auto",
    effort: Effort = "auto",
    readback: ReadBackSetting = "auto",
    retry: Retry = "off",
    limits: Limits | None = None,
    engine: Engine | None = None,
    progress: ProgressCallback | None = None,
) -> Document:
    """Read a PDF or image into typed records.

    Args:
        source: a path, the bytes, or a binary file object of a PDF, PNG, JPEG, TIFF, WebP or BMP.
        pages: from 1: one (``3``), several (``[1, 2, 3, 7]``, ``range(1, 4)``), or ranges in words:
            ``"1-3,7"``, ``"5-"`` to the last, ``"-3"`` the first three. None is all.
        password: opens an encrypted PDF.
        regions: take the place of layout on the pages they name: page number → ``(kind, bbox)`` pairs in
            reading order, such as ``{1: [("table", (72, 100, 523, 300))]}``, boxes in page points. Of these
            pages only words inside the boxes are read.
        model, device, model_options, heads, text_layer, drawings, witnesses, effort, readback, retry, limits,
            engine: see :class:`Pipeline`.
        progress: called with :class:`docai.pipelines.page_reading.Progress` as the work goes on. What it
            raises ends the call.

    Returns:
        A :class:`Document`. A failure in one region or page is an issue there and leaves the rest whole.

    Raises:
        InputError: the source cannot be read; its subclasses say why.
        ConfigurationError: a head, model, device or option cannot be used; ``pages`` cannot be understood,
            or a region is of no kind there is or has no area (:class:`docai.errors.SettingError`).
    """
    pipeline = Pipeline(
        model,
        device=device,
        model_options=model_options,
        heads=heads,
        text_layer=text_layer,
        drawings=drawings,
        witnesses=witnesses,
        effort=effort,
        readback=readback,
        retry=retry,
        limits=limits,
        engine=engine,
    )
    return pipeline.process(source, pages=pages, password=password, regions=regions, progress=progress)


def read(
    image: Image | str | Path | bytes | BinaryIO,
    head: str,
    *,
    password: str | None = None,
    model: str | Path = "nano",
    device: str = "auto",
    model_options: ModelOptions | None = None,
    text_layer: TextLayer = "prefer",
    drawings: Drawings = "prefer",
    witnesses: Witnesses = "auto",
    effort: Effort = "auto",
    readback: ReadBackSetting = "auto",
    retry: Retry = "off",
    limits: Limits | None = None,
    engine: Engine | None = None,
    progress: ProgressCallback | None = None,
) -> RecordBase:
    """Read one image as one region with one head: ``docai.read("aspirin.png", head="molecule")``.

    Args:
        image: a Pillow image, or anything :func:`process` takes; of a document its first page.
        head: ``"table"``, ``"molecule"``, ``"score"`` or ``"text"``.
        password, progress: as in :func:`process`.
        model, device, model_options, text_layer, drawings, witnesses, effort, readback, retry, limits,
            engine: see :class:`Pipeline`.

    Returns:
        A :class:`Table`, :class:`Molecule`, :class:`Score` or :class:`Text`.

    Raises:
        InputError, ConfigurationError: as in :func:`process`; also where the page cannot be read.
    """
    pipeline = Pipeline(
        model,
        device=device,
        model_options=model_options,
        text_layer=text_layer,
        drawings=drawings,
        witnesses=witnesses,
        effort=effort,
        readback=readback,
        retry=retry,
        limits=limits,
        engine=engine,
    )
    return pipeline.read(image, head, password=password, progress=progress)


def parse(head: str, text: str) -> RecordBase:
    """The record of a model text, without any model: what :func:`process` would make of it.

    Boxes are in pixels of the 896 px square that the model would have seen. Any text gives a record.

    Raises:
        UnknownHeadError: there is no such head.
        SettingError: ``text`` is no text.
    """
    from docai.pipelines.found_region import content_fields
    from docai.pipelines.recognition.answer import storable

    entry = get_head(head)
    if not isinstance(text, str):
        raise SettingError(f"The text to parse is of the type {type(text).__name__}; give a str.")
    parsed = entry.parser(text)
    side = entry.resolution
    content = parsed.content.map_boxes(
        lambda box: (box[0] * side, box[1] * side, box[2] * side, box[3] * side)
    )
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    identifier = f"p1-{entry.name}-{digest[:10]}"
    return entry.record(
        id=identifier,
        page=1,
        bbox=(0.0, 0.0, side, side),
        head=entry.name,
        prompt=entry.prompt,
        raw=storable(text),
        evidence=["model"] if text.strip() else [],
        repaired=parsed.repaired,
        issues=[issue.model_copy(update={"page": 1, "region": identifier}) for issue in parsed.issues],
        **content_fields(content),
    )


def _check_model(model: object, device: object, engine: object) -> None:
    """Refuse what can be no model, device or engine, before anything is loaded."""
    from docai.models.engine import Engine

    if engine is not None and (isinstance(engine, type) or not isinstance(engine, Engine)):
        members = ("name", "device", "heads", "accuracy", "generate")
        lacking = [member for member in members if not hasattr(engine, member)]
        why = f" It has no {', '.join(lacking)} (see docai.models.engine.Engine)." if lacking else ""
        raise SettingError(
            f"engine is {engine!r}; it has to be an object that answers, such as docai.ScriptedEngine(...)."
            f"{why} A model by its name or folder is given as model=."
        )
    if not isinstance(model, (str, Path)):
        raise SettingError(f"model is {model!r}; give its name, such as 'nano', or the path of its folder.")
    from docai.models.client_address import is_server, parse_servers

    if is_server(model):
        parse_servers(str(model))
    if not isinstance(device, str):
        raise SettingError(f"device is {device!r}; it has to be 'auto', 'cpu', 'cuda' or 'cuda:<number>'.")


def _check_model_options(options: object, engine: Engine | None) -> None:
    """Refuse what says nothing of how a model is run, and options beside an engine, which has its own."""
    if not isinstance(options, ModelOptions):
        raise SettingError(f"model_options is {options!r}; give docai.ModelOptions(dtype=...) or the like.")
    for head in options.adapters:
        get_head(head)
    if engine is not None and (changed := options.changed()):
        raise SettingError(
            f"{' and '.join(changed)} would change nothing beside an engine that is given: say it where "
            "that is made."
        )


def _check_call(password: object, progress: object) -> None:
    if password is not None and not isinstance(password, str):
        raise SettingError(f"The password is of the type {type(password).__name__}; give a str.")
    if progress is not None and not callable(progress):
        raise SettingError(f"progress is {progress!r}; give a function that takes one argument.")


def _as_source(image: Image | str | Path | bytes | BinaryIO) -> str | Path | bytes | BinaryIO:
    """A Pillow image as PNG bytes, upright as its EXIF tag says; anything else as it is."""
    from PIL import ImageOps
    from PIL.Image import Image as PillowImage

    if not isinstance(image, PillowImage):
        return image
    if 0 in image.size:
        raise EmptySourceError(
            f"The image has no pixels ({image.width} x {image.height}): check how it was made.",
            source="<image>",
        )
    buffer = io.BytesIO()
    _for_png(ImageOps.exif_transpose(image)).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _for_png(image: Image) -> Image:
    """The image in a mode that PNG has, 8 bits deep where it has no color."""
    import numpy as np
    from PIL.Image import fromarray

    if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, high = float(values.min()), float(values.max())
        if image.mode.startswith("I;16") or (image.mode == "I" and low >= 0 and 255 < high < 65536):
            values = values / 257
        elif low < 0 or high > 255 or (image.mode == "F" and high <= 1):
            # No range of its own: from black to white.
            values = (values - min(low, 0)) / max(high - min(low, 0), 1e-9) * 255
        return fromarray(values.round().astype(np.uint8))
    if image.mode == "La":
        return image.convert("LA")
    return image.convert("RGBA" if image.mode in ("PA", "RGBa") else "RGB")
