"""Truth, prediction and what differs between them, for every kind of task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from docai.pipelines.evaluation.base import Item, Prediction, Sample, SpottedWord
from docai.pipelines.evaluation.metrics.regions import match_regions
from docai.pipelines.evaluation.metrics.running_text import item_text, split_words
from docai.pipelines.evaluation.metrics.spotting import Protocol, spotting
from docai.pipelines.evaluation.report.alignment import corners, merged_runs
from docai.pipelines.evaluation.report.grids import compare_tables
from docai.pipelines.evaluation.report.molecules import compare_molecules
from docai.pipelines.evaluation.report.pictures import Album, Mark, Outline
from docai.pipelines.evaluation.report.scores import compare_scores
from docai.pipelines.evaluation.report.views import (
    Entry,
    Prose,
    Remark,
    Run,
    Runs,
    Sides,
    cut,
    entries,
    quoted,
)

_MAX_WORDS = 250
_MAX_ENTRIES = 40
_IOU = 0.5
_CONTEXT = 8


def compare(task: str, sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    """Both sides of a case and their difference, by the name of its task; plain texts for one that this
    report does not know."""
    return _BY_TASK.get(task, _compare_texts)(sample, prediction, album)


def _tables(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    return compare_tables(sample, prediction)


def _hiertext(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    return _compare_words(sample, prediction, "hiertext")


def _rrc(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    return _compare_words(sample, prediction, "rrc")


def _compare_words(sample: Sample, prediction: Prediction | None, protocol: Protocol) -> Sides:
    """Words with outlines, matched as the task matches them."""
    sides = Sides()
    truth_runs: list[Run] = []
    given_runs: list[Run] = []
    differences: list[Entry] = []
    pages = dict.fromkeys(
        item.page
        for item in (*sample.truth, *(prediction.items if prediction else ()))
        if item.kind == "text"
    )
    for page in pages:
        truth = list(_words(sample.truth, page))
        given = list(_words(prediction.items, page)) if prediction else []
        result = spotting(given, truth, protocol)
        truth_looks: list[Mark] = ["ignored" if word.ignore else "missed" for word in truth]
        given_looks: list[Mark] = [
            "ignored" if place in result.ignored else "invented" for place in range(len(given))
        ]
        for match in result.matches:
            look: Mark = "hit" if match.is_right else "misread"
            truth_looks[match.truth] = given_looks[match.prediction] = look
            if not match.is_right:
                pair = truth[match.truth].text, given[match.prediction].text
                differences.append(Entry("misread", f"{quoted(pair[0])} → {quoted(pair[1])}"))
        for words, looks, runs, only in (
            (truth, truth_looks, truth_runs, "missed"),
            (given, given_looks, given_runs, "invented"),
        ):
            for word, mark in zip(words, looks, strict=True):
                runs.append(Run(cut(word.text, 80) or "∅", mark))
                if mark == only:
                    differences.append(Entry(mark, quoted(word.text)))
        # A misread word is drawn once, where it was found.
        sides.outlines += [
            Outline(word.polygon, mark, page)
            for word, mark in zip(truth, truth_looks, strict=True)
            if mark in ("missed", "ignored")
        ]
        sides.outlines += [
            Outline(word.polygon, mark, page)
            for word, mark in zip(given, given_looks, strict=True)
            if mark != "ignored"
        ]
    sides.truth.append(Runs(truth_runs[:_MAX_WORDS]) if truth_runs else Remark("No word is asked for."))
    sides.prediction.append(Runs(given_runs[:_MAX_WORDS]) if given_runs else Remark("No word was given."))
    for runs, blocks in ((truth_runs, sides.truth), (given_runs, sides.prediction)):
        if len(runs) > _MAX_WORDS:
            blocks.append(Remark(f"{len(runs) - _MAX_WORDS} more words are not shown."))
    sides.difference.append(Remark(_tally(differences)))
    if differences:
        sides.difference.append(entries(differences, _MAX_ENTRIES))
    return sides


def _words(items: Sequence[Item], page: int) -> Iterator[SpottedWord]:
    for item in items:
        if item.kind == "text" and item.page == page:
            yield from item.words or [SpottedWord(text=word, polygon=[]) for word in item.text.split()]


def _compare_texts(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    """Running text, word by word in reading order."""
    truth = list(_running(sample.truth))
    sides = Sides([Prose(cut("\n".join(truth)))] if truth else [Remark("The truth has no text.")])
    given = list(_running(prediction.items)) if prediction else []
    if not given:
        sides.prediction.append(Remark("No text was given."))
        return sides
    sides.prediction.append(Prose(cut("\n".join(given))))
    old, new = ([word for text in texts for word in split_words(text)] for texts in (truth, given))
    merged, too_long = merged_runs(old, new, context=_CONTEXT)
    n_missed = sum(len(run.text.split()) for run in merged if run.look == "missed")
    n_invented = sum(len(run.text.split()) for run in merged if run.look == "invented")
    sides.difference.append(
        Remark(f"{n_missed:,} of {len(old):,} words are missing in their place, {n_invented:,} are put in.")
    )
    if n_missed or n_invented:
        sides.difference.append(Runs(merged))
    if too_long:
        sides.difference.append(Remark("Only the beginning of the text was compared here."))
    return sides


def _running(items: Sequence[Item]) -> Iterator[str]:
    for item in sorted(items, key=lambda item: item.page):
        if text := item_text(item).strip():
            yield text


def _compare_regions(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    """Regions by place and kind, matched as the task matches them."""
    sides = Sides()
    given = list(prediction.items) if prediction else []
    truth = [item for item in sample.truth if item.bbox is not None]
    matches = match_regions(given, truth, _IOU)
    hit, found_truth = {match.prediction for match in matches}, {match.truth for match in matches}
    differences: list[Entry] = []
    for place, item in enumerate(given):
        mark: Mark = "hit" if place in hit else "invented"
        if mark == "invented":
            differences.append(Entry(mark, _region(item), _where(item)))
        if item.bbox is not None:
            sides.outlines.append(Outline(corners(item.bbox), mark, item.page, item.kind))
    for place, item in enumerate(truth):
        if place not in found_truth and item.bbox is not None:
            differences.append(Entry("missed", _region(item), _where(item)))
            sides.outlines.append(Outline(corners(item.bbox), "missed", item.page, item.kind))
    sides.truth.append(_count(truth))
    sides.prediction.append(_count(given))
    sides.difference.append(Remark(f"{len(matches)} found at IoU {_IOU:g}. {_tally(differences)}"))
    if differences:
        sides.difference.append(entries(differences, _MAX_ENTRIES))
    return sides


def _count(items: Sequence[Item]) -> Prose | Remark:
    kinds = dict.fromkeys(item.kind for item in items)
    lines = [f"{sum(item.kind == kind for item in items)} × {kind}" for kind in kinds]
    return Prose("\n".join(lines)) if lines else Remark("No region.")


def _region(item: Item) -> str:
    return f"{item.kind} {quoted(item.text, 40)}" if item.kind == "text" and item.text else item.kind


def _where(item: Item) -> str:
    box = ", ".join(f"{value:.0f}" for value in item.bbox or ())
    return f"page {item.page}, {box}"


def _tally(differences: Sequence[Entry]) -> str:
    counts = {
        name: sum(entry.look == name for entry in differences) for name in ("missed", "misread", "invented")
    }
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    return f"{', '.join(parts)}." if parts else "Nothing differs."


_BY_TASK: Mapping[str, Callable[[Sample, Prediction | None, Album], Sides]] = MappingProxyType(
    {
        "table": _tables,
        "molecule": compare_molecules,
        "score": compare_scores,
        "text-hiertext": _hiertext,
        "text-rrc": _rrc,
        "words": _compare_texts,
        "regions": _compare_regions,
    }
)
