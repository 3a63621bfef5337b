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
from collections import Counter
from collections.abc import Mapping
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letter_classes import NONE, LetterModel, read_model, write_model
from docai.pipelines.drawings.letter_context import LOOK_ALIKES
from docai.pipelines.drawings.letter_outlines import N_FEATURES, features
from docai.pipelines.synthesis.fonts import faces, is_held_out, system_faces
from docai.pipelines.training.drawn_letter_glyphs import (
    CHARACTERS,
    Lines,
    family,
    font_files,
    font_glyphs,
    height,
    package_folders,
)
from docai.pipelines.training.drawn_letter_samples import (
    as_outline,
    letter_samples,
    note_samples,
    shape_samples,
    stroke_samples,
)

HIDDEN: Final = (384,)
"""Widths of the hidden layers."""


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

    folders = [*arguments.fonts, *package_folders()]
    glyphs = font_glyphs([*faces(), *system_faces(), *font_files(folders)])
    rng = np.random.default_rng(1)
    held = (
        {face for face, _ in glyphs if is_held_out(family(Path(face).stem))} if arguments.measure else set()
    )
    seen = {key: value for key, value in glyphs.items() if key[0] not in held}
    samples = chain(
        letter_samples(seen, rng),
        stroke_samples(arguments.hershey, rng),
        note_samples(rng),
        shape_samples(rng),
    )
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


def extents(
    glyphs: Mapping[tuple[str, str], Lines], classes: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mean lower and upper edge of each class in heights of a capital, and how much its height varies."""
    edges: dict[str, list[tuple[float, float]]] = {}
    for (face, character), contours in glyphs.items():
        if (face, "H") not in glyphs or len(character) > 1:
            continue
        cap = height(glyphs[face, "H"])
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
            total += float(loss.detach())
        print(f"epoch {epoch}: loss {total / (len(rows) // size):.4f}", flush=True)
    return tuple(
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()) for layer in layers
    )


def measure(model: LetterModel, glyphs: Mapping[tuple[str, str], Lines]) -> None:
    """Print the share of glyphs that are read right, and the most frequent mistakes."""
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
