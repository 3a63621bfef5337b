"""Many documents from Python: :func:`process_many` gives the result of each as soon as it is there."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docai._version import __version__
from docai.api import Pipeline
from docai.base import counted
from docai.document import Document
from docai.errors import RunFolderError, SettingError
from docai.exports import export_alone, format_named
from docai.files import expand_home
from docai.options import ModelOptions

if TYPE_CHECKING:
    from docai.limits import Limits
    from docai.models.engine import Engine
    from docai.options import Drawings, Effort, Options, ReadBackSetting, Retry, TextLayer, Witnesses
    from docai.pipelines.batch.folder import RunFolder
    from docai.pipelines.batch.manifest import Row
    from docai.pipelines.batch.ray_cluster import RayCluster
    from docai.pipelines.batch.ray_run import RayRun
    from docai.pipelines.batch.run import Run, Setup

JSON: Final = ".json"


@dataclass(frozen=True)
class BatchResult:
    """What became of one input."""

    path: Path
    """Of the document."""
    state: str
    """``done``, ``partial`` (pages could not be read, or the model failed at regions) or ``failed`` (no
    result)."""
    reason: str
    """Why it is not done, in a sentence; empty where it is."""
    code: str
    """The type of the error, such as ``PasswordRequiredError``, or the code of the first issue."""
    row: Row
    """All that the run knows of it."""
    document: Document | None
    """None where it failed."""


def process_many(
    sources: Iterable[str | Path],
    *,
    run: str | Path | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    workers: int | None = None,
    cluster: RayCluster | None = None,
    results: str | None = None,
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
) -> Iterator[BatchResult]:
    """Read many documents, each in a process of its own, and give each result as soon as it is there.

    A document that crashes its process, hangs or takes too much memory costs itself alone. One that cannot be
    read gives a result that says so; nothing is raised for it.

    >>> for result in docai.process_many(["scans/", "report.pdf"]):   # doctest: +SKIP
    ...     print(result.path.name, result.state, len(result.document.records))

    Args:
        sources: paths of documents and of folders, which are read with their subfolders; patterns, and files
            of JSON lines, see :mod:`docai.pipelines.batch.inputs`.
        run: the folder of the run, which holds the results and what became of each input; None: a folder that
            is removed at the end.
        resume: go on with the run that is in that folder: only what is left is read and given.
        retry_failed: as ``resume``; what failed is read again, too.
        workers: processes that read documents; None: one for every two cores.
        cluster: read them on a cluster of Ray; None: on this machine.
        results: where results go, with ``cluster``: a folder that all its machines share, or a URL such as
            ``s3://bucket/results``; None: into ``run``, which all machines have to see then.
        model, device, model_options, heads, text_layer, drawings, witnesses, effort, readback, retry, limits:
            see :class:`docai.Pipeline`.
        engine: in place of ``model``; it is pickled, so that its class is in a module, not in the script.

    Raises:
        InputError: there are no documents in what was given.
        RunFolderError: the folder cannot be used.
        ConfigurationError, CheckpointError, AdapterError: nothing can be read; what was read is kept.
    """
    options = Pipeline(
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
    ).options
    from docai.pipelines.batch.events import DocumentEnded
    from docai.pipelines.batch.inputs import restored

    given = _paths_of(sources)
    setup = make_setup(
        options,
        model,
        device=device,
        model_options=model_options,
        engine=engine,
        workers=workers,
        cluster=cluster,
    )
    with ExitStack() as stack:
        folder = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docai-run-")))
            if run is None
            else Path(run)
        )
        opened, reading = open_run(
            folder,
            given,
            setup,
            resume=resume or retry_failed,
            retry_failed=retry_failed,
            results=results,
        )
        with opened:
            for event in reading:
                if isinstance(event, DocumentEnded):
                    row = event.row
                    document = None
                    if row.state != "failed":
                        document = Document.from_json(opened.store.read(row.name, JSON))
                    yield BatchResult(restored(row.path), row.state, row.reason, row.code, row, document)


def _paths_of(sources: object) -> list[str | Path]:
    """What was given to read. Raises SettingError where that is nothing that names a file."""
    several = [sources] if isinstance(sources, (str, Path)) or not isinstance(sources, Iterable) else sources
    given = list(several)
    for one in given:
        if not isinstance(one, (str, Path)) or not str(one):
            raise SettingError(
                f"{one!r} names no document: give paths, or URLs with cluster=. Bytes and open files are "
                "read by docai.process."
            )
    return given


def make_setup(
    options: Options,
    model: str | Path = "nano",
    *,
    device: str = "auto",
    model_options: ModelOptions | None = None,
    engine: Engine | None = None,
    formats: Sequence[str] = (JSON,),
    workers: int | None = None,
    cluster: RayCluster | None = None,
    download: bool = False,
) -> Setup:
    """How the documents of a run are read; the model is looked at and not loaded.

    Args:
        model_options: how the model is run; None: the defaults.
        formats: extensions of the results.
        cluster: where they are read; None: on this machine.
        download: fetch weights that are not here.

    Raises:
        SettingError: a format or a number of workers that there is not.
        MissingDependencyError: a library that writes a format is not installed.
        UnknownModelError, CheckpointError, AdapterError: of the model.
        UnknownHeadError, HeadNotAvailableError: of its heads.
    """
    from docai.models.engine import LazyEngine, check_heads
    from docai.models.heads import HEADS
    from docai.models.selection import describe_model
    from docai.pipelines.batch.model_server import ModelSpec
    from docai.pipelines.batch.run import Setup

    suffixes = [format_named(name).suffix for name in formats]
    for suffix in suffixes:
        format_named(suffix).check()
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise SettingError(f"workers is {workers!r}; give a number from 1, or leave it out.")
    run_by = model_options or ModelOptions()
    spec = ModelSpec(model, device, engine, run_by)
    known_heads: Mapping[str, float | None]
    side: int | None
    base: str | None
    if engine is None:
        about = describe_model(model, options=run_by, download=download)
        name, known_heads, side, base = about.name, about.heads, about.side, about.base
    else:
        name, side, base = engine.name, getattr(engine, "side", None), getattr(engine, "base", None)
        known_heads = {head: engine.accuracy(head) for head in sorted(engine.heads() & HEADS.keys())}
    check_heads(LazyEngine(name, known_heads, spec.load, side=side, base=base), options.heads)
    return Setup(
        options=options,
        model=spec,
        name=name,
        heads=known_heads,
        side=side,
        exporters={
            suffix: None if suffix == JSON else partial(export_alone, suffix=suffix) for suffix in suffixes
        },
        n_workers=workers,
        cluster=cluster,
    )


def open_run(
    folder: Path,
    sources: Sequence[str | Path],
    setup: Setup,
    *,
    lines: Iterable[str] = (),
    resume: bool = False,
    retry_failed: bool = False,
    shard: tuple[int, int] | None = None,
    password: str | None = None,
    results: str | None = None,
) -> tuple[RunFolder, Run | RayRun]:
    """A run over the documents, ready to be iterated over; the folder is to be closed.

    Args:
        sources: none, with ``resume``: the inputs that the run knows.
        lines: of standard input, see :mod:`docai.pipelines.batch.inputs`.
        shard: number and count of the part of the inputs that this run reads.
        password: opens all inputs that have none of their own.
        results: where results go, on a cluster; None: into the folder.

    Raises:
        InputError, RunFolderError, SettingError: as :func:`process_many`.
    """
    from docai.pipelines.batch.folder import RunFolder
    from docai.pipelines.batch.inputs import BatchInputs, find_batch_inputs, shard_of
    from docai.pipelines.batch.ray_cluster import check_cluster
    from docai.pipelines.batch.ray_run import RayRun
    from docai.pipelines.batch.run import Run
    from docai.pipelines.batch.storage import is_url

    # Before the folder is made: a typing error leaves nothing behind.
    if setup.cluster is not None:
        check_cluster(setup.cluster)
    elif results is not None:
        raise SettingError(f"Results go elsewhere, to {results}, on a cluster only: give --engine ray.")
    found = find_batch_inputs(sources, lines=lines) if sources or not resume else BatchInputs()
    if results is not None and not is_url(results):
        results = str(expand_home(results).absolute())
    opened = RunFolder(
        folder, describe(setup), shard=shard, resume=resume, results=results, begun=_begun(setup)
    )
    try:
        if names := opened.manifest.names():
            found.rename(names)
        inputs = found.found if shard is None else shard_of(found.found, *shard)
        n_changed = opened.manifest.add((one.path, one.name, one.options) for one in inputs)
        if n_changed:
            which = counted(n_changed, "input")
            found.notes.append(f"Read again, since other pages are asked for than before: {which}.")
        if not sources and shard is None and not opened.manifest.names():
            raise RunFolderError(
                f"The run {folder} does not know its inputs: it was ended before they were written down, or "
                "its manifest was damaged. Give them again; results that are there are kept: "
                f"docai batch IN --resume -o {shlex.quote(str(folder))}"
            )
        passwords = {} if password is None else dict.fromkeys(opened.manifest.names(), password)
        passwords |= {one.path: one.password for one in inputs if one.password is not None}
        notes = tuple(found.notes)
        run: Run | RayRun
        if setup.cluster is None:
            _check_is_here(opened)
            run = Run(opened, setup, retry_failed=retry_failed, passwords=passwords, notes=notes)
        else:
            run = RayRun(
                opened,
                setup,
                setup.cluster,
                retry_failed=retry_failed,
                passwords=passwords,
                notes=notes,
            )
    except BaseException:
        opened.close()
        raise
    return opened, run


def _begun(setup: Setup) -> Mapping[str, Any] | None:
    """What the command line takes to go on with the run, beside what :func:`describe` says; None: an engine
    was given, which no command line can give."""
    spec = setup.model
    if spec.engine is not None:
        return None
    is_folder = Path(spec.model).is_dir()
    return {
        "model": str(Path(spec.model).absolute() if is_folder else spec.model),
        "device": spec.device,
        "batch": "none" if spec.options.batch is None else spec.options.batch,
        "workers": setup.n_workers,
        "cluster": None if setup.cluster is None else asdict(setup.cluster),
    }


def _check_is_here(folder: RunFolder) -> None:
    """Raises SettingError: documents or results are in a store, which the engine of one machine does not
    reach."""
    from docai.pipelines.batch.storage import is_url

    place = str(folder.store.root)
    if folder.store.root == folder.results:
        urls = (path for path in folder.manifest.names() if is_url(path))
        place = next(urls, "")
    if place:
        raise SettingError(f"{place} is read and written by a cluster only: give --engine ray.")


def describe(setup: Setup) -> Mapping[str, Any]:
    """What decides how documents are read, as JSON."""
    from docai.models.checkpoints import open_adapter
    from docai.pipelines.evidence.readers import ReaderPool

    options = setup.options
    with ReaderPool.choose(options) as readers:
        names = readers.names()
    # All of them: one that is added later makes another run, too.
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    values["heads"] = None if options.heads is None else sorted(options.heads)
    values["limits"] = options.limits.model_dump()
    run_by = setup.model.options
    adapters = {head: Path(folder).absolute() for head, folder in sorted(run_by.adapters.items())}
    values["adapters"] = {head: str(folder) for head, folder in adapters.items()}
    if adapters:
        # One that was trained again reads otherwise, from the same folder.
        revisions = {head: open_adapter(folder, head).revision for head, folder in adapters.items()}
        values["adapter_revisions"] = revisions
    values |= {"dtype": run_by.dtype, "quantization": run_by.quantization}
    return {
        "docai": __version__,
        "model": setup.name,
        "formats": sorted(suffix.removeprefix(".") for suffix in setup.exporters),
        "readers": list(names),
        **values,
    }
