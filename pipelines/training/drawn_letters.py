"""Train the network that reads letters painted as outlines, ``docai/pipelines/drawings/letters.npz``.

It learns from the outlines of every font that the machine and the packages have, slanted, stretched, turned
and rounded a little, from the single-stroke letters of Hershey's fonts where their files are at hand, and, as
what is no letter, from the glyphs of Verovio's music fonts and from shapes that drawings are made of. Nothing
of a font is in the file but what the network makes of all of them together.

    python -m docai.pipelines.training.drawn_letters --fonts FOLDER --hershey FOLDER -o letters.npz

With ``--measure`` designs are held out as a whole, and what it reads of them is printed; see
:func:`docai.pipelines.synthesis.fonts.is_held_out`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter_classes import NONE, LetterModel, read_model, write_model
from docai.pipelines.drawings.letter_context import LOOK_ALIKES
from docai.pipelines.drawings.letter_outlines import N_FEATURES, Outline, features, join, nest
from docai.pipelines.synthesis.fonts import design, faces, font_bytes, is_held_out, system_faces

CHARACTERS: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "+-()[]{},.'’′\"*#=/:;?!%&±×°<>|\\~@$§→"
    "αβγδεζηθλμπστφψωΓΔΘΛΞΠΣΦΨΩ⊕⊖≡"
    "àáâäåãçèéêëìíîïñòóôöõùúûüýßæøœÀÁÂÄÅÃÇÈÉÊËÍÎÑÓÔÖÕÚÛÜÆØŒ"
)
"""What is told apart; dashes are ``-``, dots at any height ``.``."""

HIDDEN: Final = (384,)
"""Widths of the hidden layers."""

N_VERSIONS: Final = (7, 4)
"""Of each letter or digit of each face, and of each other character."""

MAX_FACES: Final = 10
"""Of one design."""

CURVE_PIECES: Final = 8
"""Straight pieces that stand for one curve."""

_UNITS: Final = 1000
"""Of an em, in which outlines are kept here."""

Lines = list[NDArray[np.float64]]


def main() -> None:
    """Train, and write or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fonts", type=Path, action="append", default=[], help="a folder of more fonts")
    parser.add_argument("--hershey", type=Path, help="a folder of Hershey's fonts, .jhf")
    parser.add_argument(
        "--measure", action="store_true", help="hold designs out and print what is read of them"
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("-o", "--output", type=Path, help="where the model is written")
    arguments = parser.parse_args()

    folders = [*arguments.fonts, *_package_folders()]
    glyphs = font_glyphs([*faces(), *system_faces(), *font_files(folders)])
    rng = np.random.default_rng(1)
    held = (
        {face for face, _ in glyphs if is_held_out(_family(Path(face).stem))} if arguments.measure else set()
    )
    seen = {key: value for key, value in glyphs.items() if key[0] not in held}
    samples = chain(letter_samples(seen, rng), stroke_samples(arguments.hershey, rng), other_samples(rng))
    classes = (NONE, *CHARACTERS)
    pairs = [(features(outline).astype(np.float16), classes.index(text)) for outline, text in samples]
    rows, labels = np.stack([row for row, _ in pairs]), np.array([label for _, label in pairs])
    del pairs
    print(f"{len(seen)} glyphs of {len({face for face, _ in seen})} faces, {len(rows)} samples", flush=True)
    layers = fit(rows, labels, len(classes), arguments.epochs)
    data = write_model(LetterModel(classes, *extents(seen, classes), layers))
    if held:
        measure(read_model(data), {key: value for key, value in glyphs.items() if key[0] in held})
    if arguments.output:
        arguments.output.write_bytes(data)


def font_files(folders: list[Path]) -> list[str]:
    """The files of folders' fonts that have letters for text."""
    from docai.pipelines.synthesis.fonts import _NOT_FOR_TEXT, _NOTO_LATIN

    paths = sorted(path for folder in folders for path in folder.rglob("*.[to]tf"))
    is_latin = [not path.name.startswith("Noto") or _NOTO_LATIN.match(path.name) for path in paths]
    return [
        str(path)
        for path, latin in zip(paths, is_latin, strict=True)
        if latin and not _NOT_FOR_TEXT.search(path.stem)
    ]


def _package_folders() -> list[Path]:
    """Where packages have fonts that programs draw with: RDKit's, and Computer Modern."""
    found = []
    for package, folder in (("rdkit", "Data/Fonts"), ("matplotlib", "mpl-data/fonts/ttf")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).parent / folder)
    return found


def font_glyphs(names: list[str]) -> dict[tuple[str, str], Lines]:
    """The contours of each character of each face, in thousandths of an em, y down."""
    found: dict[tuple[str, str], Lines] = {}
    n_faces: dict[str, int] = {}
    seen: set[str] = set()
    for name in names:
        stem = Path(name).stem
        family = _family(stem)
        if stem in seen or n_faces.get(family, 0) >= MAX_FACES:
            continue
        seen.add(stem)
        outlines = dict(_glyphs_of_face(font_bytes(name)))
        if not {"H", "x", "X", "0"} <= set(outlines):
            continue
        n_faces[family] = n_faces.get(family, 0) + 1
        has_small = _height(outlines["x"]) < 0.92 * _height(outlines["X"])
        found |= {
            (name, character): contours
            for character, contours in outlines.items()
            if has_small or not character.islower()
        }
    return found


def _family(stem: str) -> str:
    """The design; Computer Modern in all its files is one."""
    return "ComputerModern" if re.match(r"cm(un|r|b|ss|tt|ti|mi|sy|ex)", stem) else design(stem)


def _glyphs_of_face(data: bytes) -> Iterator[tuple[str, Lines]]:
    from fontTools.pens.basePen import BasePen
    from fontTools.ttLib import TTFont, TTLibError

    class Pen(BasePen):  # type: ignore[misc]
        """Collects flattened contours."""

        def __init__(self, glyphs: Any) -> None:
            super().__init__(glyphs)
            self.lines: list[list[tuple[float, float]]] = []

        def _moveTo(self, pt: Any) -> None:  # noqa: N802
            self.lines.append([pt])

        def _lineTo(self, pt: Any) -> None:  # noqa: N802
            self.lines[-1].append(pt)

        def _curveToOne(self, pt1: Any, pt2: Any, pt3: Any) -> None:  # noqa: N802
            self.lines[-1] += _curve(self.lines[-1][-1], pt1, pt2, pt3)

    try:
        font = TTFont(BytesIO(data), fontNumber=0)
        names, glyphs = font.getBestCmap() or {}, font.getGlyphSet()
        units = font["head"].unitsPerEm
    except (TTLibError, KeyError):
        return
    for character in CHARACTERS:
        codes = [ord(character)]
        if character == "-":
            codes += [0x2212, 0x2013]
        for code in codes:
            if code not in names:
                continue
            pen = Pen(glyphs)
            glyphs[names[code]].draw(pen)
            contours = [
                np.array(line, float) * (_UNITS / units, -_UNITS / units)
                for line in pen.lines
                if len(line) > 2
            ]
            if contours:
                yield (character if code == codes[0] else f"{character}{code}"), contours


def _curve(start: Any, a: Any, b: Any, end: Any) -> list[tuple[float, float]]:
    t = np.linspace(0, 1, CURVE_PIECES + 1)[1:, None]
    points = (
        (1 - t) ** 3 * start
        + 3 * (1 - t) ** 2 * t * a
        + 3 * (1 - t) * t * t * b
        + t**3 * np.array(end, float)
    )
    return [(float(x), float(y)) for x, y in points]


def _height(contours: Lines) -> float:
    values = np.concatenate(contours)[:, 1]
    return float(values.max() - values.min())


def as_outline(contours: Lines) -> Outline | None:
    """The contours of one glyph as one outline; None where nothing of it has an extent."""
    shapes = [shape for shape in nest(contours) if max(shape.width, shape.height) > 0]
    if not shapes:
        return None
    return shapes[0] if len(shapes) == 1 else join(shapes)


def vary(contours: Lines, rng: np.random.Generator) -> Lines:
    """Contours slanted, turned, stretched, and rounded as programs round coordinates."""
    slant = rng.normal(0, 0.06) if rng.random() < 0.6 else rng.uniform(-0.1, 0.35)
    turn = rng.normal(0, 0.02)
    stretch = np.exp(rng.normal(0, 0.1))
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.array(
        [[1, 0], [-slant, 1]]
    )
    matrix = matrix * (stretch, 1)
    grain = _UNITS / 10 ** rng.uniform(1.6, 3)
    return [np.rint(contour @ matrix / grain + rng.random(2)) * grain for contour in contours]


def letter_samples(
    glyphs: dict[tuple[str, str], Lines], rng: np.random.Generator
) -> Iterator[tuple[Outline, str]]:
    """Each glyph as it is, and in versions."""
    for (_, character), contours in glyphs.items():
        is_plain = character.isascii() and character.isalnum()
        for version in range(N_VERSIONS[0 if is_plain else 1]):
            outline = as_outline(vary(contours, rng) if version else contours)
            if outline is not None:
                yield outline, character[0]


def stroke_samples(folder: Path | None, rng: np.random.Generator) -> Iterator[tuple[Outline, str]]:
    """Letters of a pen, in versions with wide and narrow nibs, and zigzags and polygons that are none."""
    for path in sorted(folder.glob("*.jhf")) if folder else ():
        if not re.match(r"futura|roman|rowman|times|script", path.stem):
            continue
        for character, lines in _hershey_letters(path.read_text(encoding="latin-1")):
            for _ in range(30):
                yield _pen_outline(vary(lines, rng), rng), character
    if folder is None:
        return
    for _ in range(6000):
        n = int(rng.integers(3, 9))
        if rng.random() < 0.5:
            angles = np.arange(n) / n * 2 * np.pi + rng.random() * 6
            line = np.stack([np.cos(angles), np.sin(angles)], 1)
            line = np.concatenate([line, line[:1]]) if rng.random() < 0.8 else line
        else:
            angles = rng.choice([-0.52, 0.52, 1.57, 2.6, 3.67, -1.57], n)
            line = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1), axis=0)
        if np.ptp(line, axis=0).max() > 0:
            yield _pen_outline([line * 300], rng, thin=True), NONE


def _pen_outline(lines: Lines, rng: np.random.Generator, *, thin: bool = False) -> Outline:
    points = np.concatenate(lines)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    pen = max(x1 - x0, y1 - y0) * rng.uniform(0.01, 0.05 if thin else 0.2)
    return Outline(lines, [0] * len(lines), (x0, y0, x1, y1), (0,), is_stroked=True, pen=float(pen))


def _hershey_letters(text: str) -> Iterator[tuple[str, Lines]]:
    """Letters of a file of Hershey's, in the order of ASCII from the space on."""
    records: list[str] = []
    for line in text.splitlines():
        if re.match(r"^[ \d]{4}\d[ \d]{2}\d", line) and (
            not records or len(records[-1]) >= _record_length(records[-1])
        ):
            records.append(line)
        elif records:
            records[-1] += line
    for code, record in enumerate(records, 32):
        if not 33 <= code < 127 or chr(code) not in CHARACTERS:
            continue
        pairs = record[10 : _record_length(record)]
        lines: Lines = []
        for stroke in re.split(" R", pairs):
            points = [(ord(a) - 82, ord(b) - 82) for a, b in zip(stroke[::2], stroke[1::2], strict=False)]
            if len(points) > 1:
                lines.append(np.array(points, float) * 30)
        if lines and np.ptp(np.concatenate(lines), axis=0).max() > 0:
            yield chr(code), lines


def _record_length(record: str) -> int:
    return 8 + 2 * int(record[5:8])


_LETTERS_OF_MUSIC: Final = re.compile(r"E08|E0A[9-F]|E52|E53|E87|E88|E89|E[AD][0-5]|0|2")
"""Code points of Verovio's glyphs that are letters, digits and crosses, or like them."""


def other_samples(rng: np.random.Generator) -> Iterator[tuple[Outline, str]]:
    """What is no letter: notes, clefs and rests, and shapes of bonds, arrows, beams, slurs and markers."""
    for contours in _music_glyphs():
        for version in range(6):
            outline = as_outline(vary(contours, rng) if version else contours)
            if outline is not None:
                yield outline, NONE
    for _ in range(20_000):
        outline = as_outline([_shape(rng)])
        if outline is not None and len(outline.contours[0]) > 4:
            yield outline, NONE


def _music_glyphs() -> Iterator[Lines]:
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path

    spec = importlib.util.find_spec("verovio")
    if spec is None or spec.origin is None:
        return
    for path in sorted((Path(spec.origin).parent / "data").glob("*/*.xml")):
        if _LETTERS_OF_MUSIC.match(path.stem) or path.parent.name == "text":
            continue
        lines: list[list[tuple[float, float]]] = []
        for data in re.findall(r' d="([^"]*)"', path.read_text(encoding="utf-8")):
            pen = RecordingPen()
            parse_path(data, pen)
            for kind, points in pen.value:
                if kind == "moveTo":
                    lines.append([points[0]])
                elif kind == "lineTo":
                    lines[-1].append(points[0])
                elif kind == "curveTo":
                    lines[-1] += _curve(lines[-1][-1], *points)
                elif kind == "qCurveTo":
                    a, b = (np.array(point, float) for point in points)
                    start = np.array(lines[-1][-1])
                    lines[-1] += _curve(start, start + (a - start) * 2 / 3, b + (a - b) * 2 / 3, b)
        contours = [np.array(line, float) * (1, -1) for line in lines if len(line) > 2]
        if contours:
            yield contours


def _shape(rng: np.random.Generator) -> NDArray[np.float64]:
    """One contour that drawings have and alphabets do not."""
    kind = int(rng.integers(7))
    t = np.linspace(0, 1, 12)
    if kind == 0:
        # A tapered or curved band: slurs, hairs, wavy pieces.
        bend, thick = rng.uniform(0.1, 0.6), rng.uniform(0.02, 0.1)
        upper = np.stack([t, bend * np.sin(np.pi * t)], 1)
        lower = np.stack([t[::-1], (bend - thick) * np.sin(np.pi * t[::-1])], 1)
        points = np.concatenate([upper, lower])
    elif kind == 1:
        # An arrowhead with a notch.
        points = np.array([(0, 0), (1, rng.uniform(0.2, 0.5)), (0, 1), (rng.uniform(0, 0.5), 0.5), (0, 0)])
    elif kind == 2:
        # A regular polygon or a star.
        n = int(rng.integers(5, 9))
        radii = np.tile([1, 1.0 if n < 7 and rng.random() < 0.5 else rng.uniform(0.3, 0.8)], n)
        angles = np.arange(2 * n) / n * np.pi
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    elif kind == 3:
        # A slanted ellipse: heads of notes.
        angles = np.linspace(0, 2 * np.pi, 32)
        points = np.stack([np.cos(angles), rng.uniform(0.3, 0.7) * np.sin(angles)], 1)
    elif kind == 4:
        # A bar with an end cut askew, or with a bend.
        thick = rng.uniform(0.03, 0.15)
        points = np.array(
            [(0, 0), (1, 0), (1 + rng.uniform(0, 0.2), thick / 2), (1, thick), (0, thick), (0, 0)]
        )
    elif kind == 5:
        # A full arrow.
        s, h, w = rng.uniform(0.01, 0.1), rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.5)
        points = np.array([(0, s), (1 - w, s), (1 - w, h), (1, 0), (1 - w, -h), (1 - w, -s), (0, -s)])
    else:
        # A coast: any closed line.
        angles = np.sort(rng.random(int(rng.integers(6, 40)))) * 2 * np.pi
        radii = rng.uniform(0.3, 1, len(angles))
        points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1)
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return points @ matrix * (np.exp(rng.normal(0, 0.2)), 1) * 400


def extents(
    glyphs: dict[tuple[str, str], Lines], classes: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mean lower and upper edge of each class in heights of a capital, and how much its height varies."""
    edges: dict[str, list[tuple[float, float]]] = {}
    for (face, character), contours in glyphs.items():
        if (face, "H") not in glyphs or len(character) > 1:
            continue
        cap = _height(glyphs[face, "H"])
        values = np.concatenate(contours)[:, 1] / cap
        edges.setdefault(character, []).append((-float(values.max()), -float(values.min())))
    found = [np.array(edges.get(text, [(0.0, 1.0)])) for text in classes]
    return (
        np.array([np.median(pair[:, 0]) for pair in found], np.float32),
        np.array([np.median(pair[:, 1]) for pair in found], np.float32),
        np.array([np.std(pair[:, 1] - pair[:, 0]) for pair in found], np.float32),
    )


def fit(
    rows: NDArray[np.float16], labels: NDArray[np.int64], n_classes: int, n_epochs: int
) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
    """The layers of a network trained on rows of features."""
    import torch

    torch.manual_seed(0)
    widths = (N_FEATURES, *HIDDEN, n_classes)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(widths)]
    net = torch.nn.Sequential(*[part for layer in layers for part in (layer, torch.nn.ReLU())][:-1])
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.01)
    size = 512
    n_steps = n_epochs * (len(rows) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=n_steps)
    order_rng = np.random.default_rng(2)
    for epoch in range(n_epochs):
        total = 0.0
        order = order_rng.permutation(len(rows))
        for step in range(len(rows) // size):
            batch = order[step * size : (step + 1) * size]
            x = torch.from_numpy(rows[batch].astype(np.float32))
            loss = torch.nn.functional.cross_entropy(
                net(x), torch.from_numpy(labels[batch]), label_smoothing=0.02
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss)
        print(f"epoch {epoch}: loss {total / (len(rows) // size):.4f}", flush=True)
    return tuple(
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()) for layer in layers
    )


LOOK_ALIKES: Final = (
    "cC",
    "kK",
    "oO0°",
    "pP",
    "sS",
    "uU",
    "vV",
    "wW",
    "xX×",
    "yY",
    "zZ",
    "Il1|",
    ",’'′",
    "φΦ",
    "θΘ",
)
"""Letters that size and place alone tell apart."""


def measure(model: LetterModel, glyphs: dict[tuple[str, str], Lines]) -> None:
    """Print the share of glyphs that are read right, and the most frequent mistakes."""
    from collections import Counter

    pairs = [
        (outline, key[1][0])
        for key, contours in glyphs.items()
        if (outline := as_outline(contours)) is not None
    ]
    best = [model.classes[i] for i in model.probabilities([outline for outline, _ in pairs]).argmax(axis=1)]
    alike = {letter: group for group in LOOK_ALIKES for letter in group}
    alike |= {
        letter: letter.casefold() for letter in CHARACTERS if not letter.isascii() and letter not in alike
    }
    wrong = Counter(
        (truth, said)
        for (_, truth), said in zip(pairs, best, strict=True)
        if said != truth and alike.get(truth, truth) != alike.get(said, said)
    )
    plain = CHARACTERS[:62]
    n_plain = sum(truth in plain for _, truth in pairs)
    wrong_plain = sum(count for (truth, _), count in wrong.items() if truth in plain)
    exact = sum(said == truth for (_, truth), said in zip(pairs, best, strict=True))
    print(f"{len({face for face, _ in glyphs})} faces held out, {len(pairs)} glyphs")
    print(
        f"read: {exact / len(pairs):.4f}; with look-alikes as one: {1 - sum(wrong.values()) / len(pairs):.4f}"
    )
    print(f"letters and digits, with look-alikes as one: {1 - wrong_plain / max(n_plain, 1):.4f}")
    print("most frequent mistakes:", wrong.most_common(40))


if __name__ == "__main__":
    main()
