"""Constrained decoding: what the grammars take, what they promise, and the mask in greedy and beam search."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PaliGemmaProcessor, PreTrainedTokenizerBase

import docai.parsers.score
from docai.errors import ConfigurationError, MissingDependencyError
from docai.models.engine import Request
from docai.models.heads import HEADS, Decoding, Head
from docai.models.paligemma import PaliGemmaEngine
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.pipelines.synthesis import samples
from tests.models.tiny import IMAGE_SIZE, build_tiny, noise

pytest.importorskip("llguidance", reason="llguidance is not installed: pip install llguidance")

from docai.models.constrained import Constraint, GrammarMask, GrammarVocabulary, allowed_bits
from docai.models.grammars import GRAMMARS, MAX_SPINES

EOS, PAD = 1, 0
UNPROMISED = {
    "table": set(),
    "molecule": {
        "molecule-ring-closure",
        "molecule-valence",
        "molecule-kekulisation",
        "molecule-sanitisation",
        # RDKit's word for a ring bond that joins what is joined already.
        "molecule-syntax",
    },
    "score": set(),
    "text": set(),
}
"""Errors that no grammar can exclude, by head."""
NEVER = {
    "table": {"table-raw-less-than", "table-row-without-tr", "table-stray-text", "table-stray-loc"},
    "molecule": {"molecule-fenced", "molecule-extra-text", "molecule-bad-character"},
    "score": {"score-bad-token", "score-empty-line", "score-line-ends", "score-bad-character"},
    "text": {"text-missing-box", "text-bad-box", "text-empty-label", "text-missing-separator"},
}
"""Findings below an error that cannot be made either."""
CLOSING = {"table": "<</", "molecule": ")]", "score": "\n*-", "text": ""}


@pytest.fixture(scope="module")
def tokenizer(tiny_folder: Path) -> PreTrainedTokenizerBase:
    return PaliGemmaProcessor.from_pretrained(tiny_folder).tokenizer


@pytest.fixture(scope="module")
def vocabulary(tokenizer: PreTrainedTokenizerBase) -> GrammarVocabulary:
    return GrammarVocabulary.of(tokenizer, [EOS])


@pytest.fixture(scope="module")
def constraints(vocabulary: GrammarVocabulary) -> dict[str, Constraint]:
    return {head.name: Constraint(head.grammar or "", vocabulary) for head in HEADS.values()}


def refusal(constraint: Constraint, tokenizer: PreTrainedTokenizerBase, text: str) -> str | None:
    """What stands where the text is refused; None where it is taken whole."""
    ids = tokenizer(text, add_special_tokens=False).input_ids
    matcher = constraint.matcher()
    taken = matcher.try_consume_tokens(ids)
    if taken < len(ids):
        return "".join(tokenizer.convert_ids_to_tokens(ids[max(0, taken - 20) : taken + 1]))
    return None if matcher.is_accepting() else "the end"


@pytest.mark.parametrize(
    ("head", "count"),
    [("table", 8), ("molecule", 6), ("score", 4), ("text", 8)],
    ids=str,
)
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_every_target_of_the_generators_is_taken(
    constraints: dict[str, Constraint],
    tokenizer: PreTrainedTokenizerBase,
    head: str,
    count: int,
    difficulty: float,
) -> None:
    if head == "score":
        pytest.importorskip("verovio", reason="verovio is not installed: pip install 'docai[synth]'")
        pytest.importorskip("resvg_py", reason="resvg-py is not installed: pip install 'docai[synth]'")
    for sample in islice(samples(head, 5, difficulty=difficulty), count):
        assert refusal(constraints[head], tokenizer, sample.target) is None, sample.target


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("table", "<table><thead></thead><tbody><tr><th>a</th><td></td></tr><tr></tr></tbody></table>"),
        ("table", "<table><tbody><tr><td><b>P &lt; 0.05<sup>a</sup></b></td></tr></tbody></table>"),
        ("molecule", "[Ph]C(=O)N[R1]"),
        ("molecule", r"C/C=C\[C@@H](N)[O-].[Na+]"),
        ("molecule", "[13CH4].O->[Fe++]"),
        (
            "score",
            "**kern\t**kern\n*clefF4\t*k[b-]\n*^\t*\n4c\t4e 4g\t.\n*v\t*v\t*\n4r\t8gqL\n==:|!\t==:|!\n*-\t*-",
        ),
        ("text", ""),
        ("text", "<loc0001><loc0002><loc0003><loc0004> etc.; ; <loc0001><loc0002><loc0003><loc0004> a ;b"),
        (
            "text",
            "<loc0001><loc0002><loc0003><loc0004> p < 0.05\n<loc0005><loc0006><loc0007><loc0008> naïve 漢",
        ),
    ],
)
def test_what_the_format_allows_is_taken(
    constraints: dict[str, Constraint], tokenizer: PreTrainedTokenizerBase, head: str, text: str
) -> None:
    assert refusal(constraints[head], tokenizer, text) is None
    assert not [issue for issue in HEADS[head].parser(text).issues if issue.severity == "error"]


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("table", ""),
        ("table", "<table><tbody></tbody></table>"),
        ("table", "<table><tbody><tr><td>a</tr></tbody></table>"),
        ("table", "<table><tbody><tr><td>a < b</td></tr></tbody></table>"),
        ("table", '<table><tbody><tr><td coords="<loc0001><loc0002>">a</td></tr></tbody></table>'),
        ("table", "<table><tbody><tr><td>a</td></tr></tbody></table><table>"),
        ("molecule", "C(C"),
        ("molecule", "CC)"),
        ("molecule", "[C"),
        ("molecule", "C=="),
        ("molecule", "Xy"),
        ("molecule", "C>>C"),
        ("molecule", "CC CC"),
        ("score", "**kern\n*-"),
        ("score", "**kern\t**kern\n4c\n*-\t*-"),
        ("score", "**kern\n*^\n4c\n*-"),
        ("score", "**kern\t**kern\n*v\t*\n4c\t4c\n*-\t*-"),
        ("score", "**kern\n4c"),
        ("score", "**kern\n4c\n*-\n4c"),
        ("score", "**kern\t**kern\n4c\t=1\n*-\t*-"),
        ("score", "**kern\nc4#-\n*-"),
        ("text", "word"),
        ("text", "<loc0001><loc0002><loc0003> a"),
        ("text", "<loc0001><loc0002><loc0003><loc0004>"),
        ("text", "<loc0001><loc0002><loc0003><loc0004> a ; "),
        ("text", "<loc0001><loc0002><loc0003><loc0004> a<loc0001><loc0002><loc0003><loc0004> b"),
    ],
)
def test_what_it_forbids_is_refused(
    constraints: dict[str, Constraint], tokenizer: PreTrainedTokenizerBase, head: str, text: str
) -> None:
    assert refusal(constraints[head], tokenizer, text) is not None


def test_location_tokens_are_single_ids_and_never_letters(
    constraints: dict[str, Constraint], tokenizer: PreTrainedTokenizerBase
) -> None:
    loc = [tokenizer.convert_tokens_to_ids(f"<loc{index:04d}>") for index in range(1024)]
    letters = [tokenizer.convert_tokens_to_ids(letter) for letter in "<loc0001>"]
    first = np.unpackbits(
        allowed_bits([constraints["text"].matcher()], len(tokenizer))[0].view(np.uint8), bitorder="little"
    )
    assert set(np.flatnonzero(first)) == {EOS, *loc}
    word = constraints["text"].matcher()
    assert word.consume_tokens([*loc[:4], *tokenizer(" ", add_special_tokens=False).input_ids])
    assert word.validate_tokens(letters[:-1]) < len(letters) - 1
    assert not word.validate_tokens(loc[:1])


def walk(
    constraint: Constraint, tokenizer: PreTrainedTokenizerBase, closing: str, seed: int, most: int
) -> str | None:
    """Follow random logits through the mask; None where the answer has not ended after ``most`` tokens."""
    random = np.random.default_rng(seed)
    size = len(tokenizer)
    habit = random.normal(size=size) * random.uniform(0, 3)
    drift = np.zeros(size)
    for letter in closing:
        drift[tokenizer.convert_tokens_to_ids(letter)] += random.uniform(0.3, 0.6)
    drift[EOS] = 1
    matcher = constraint.matcher()
    tokens: list[int] = []
    while len(tokens) < most:
        bits, reasons = allowed_bits([matcher], size)
        assert not reasons
        allowed = np.unpackbits(bits.view(np.uint8)[0], bitorder="little")[:size]
        logits = random.normal(size=size) * 2 + habit + drift * len(tokens)
        token = int(np.where(allowed, logits, -np.inf).argmax())
        if token == EOS:
            text: str = tokenizer.backend_tokenizer.decode(tokens, skip_special_tokens=False)
            return text
        tokens.append(token)
        assert matcher.consume_token(token)
    return None


@pytest.mark.parametrize("head", list(HEADS))
def test_whatever_ends_under_random_logits_is_well_formed(
    constraints: dict[str, Constraint],
    tokenizer: PreTrainedTokenizerBase,
    head: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What music21 makes of each score takes most of the time, and is not the question.
    monkeypatch.setattr(docai.parsers.score, "MAX_WORK", 0)
    n_ended = 0
    for seed in range(100):
        text = walk(constraints[head], tokenizer, CLOSING[head], seed, most=220)
        if text is None:
            continue
        n_ended += 1
        issues = HEADS[head].parser(text).issues
        errors = {issue.code for issue in issues if issue.severity == "error"}
        assert errors <= UNPROMISED[head], text
        assert not {issue.code for issue in issues} & NEVER[head], text
    assert n_ended >= 50


def heads(**decoding: object) -> Iterator[Head]:
    for head in HEADS.values():
        yield replace(head, resolution=IMAGE_SIZE, decoding=replace(Decoding(), **decoding))


@pytest.mark.parametrize(("seed", "num_beams"), [(0, 1), (1, 3)])
def test_a_model_with_random_weights_keeps_to_the_grammar_or_is_marked(
    tmp_path: Path,
    constraints: dict[str, Constraint],
    tokenizer: PreTrainedTokenizerBase,
    num_beams: int,
    seed: int,
) -> None:
    weights = {head: {"adapter": None, "max_tokens": 40} for head in HEADS}
    engine = PaliGemmaEngine.load(build_tiny(tmp_path, seed=seed, heads=weights), device="cpu")
    for head in heads(constrained=True, num_beams=num_beams):
        for answer in engine.generate([Request(head, noise(index)) for index in range(3)]):
            ids = tokenizer(answer.text, add_special_tokens=False).input_ids
            matcher = constraints[head.name].matcher()
            assert matcher.consume_tokens(ids), answer.text
            if answer.finish_reason == "stop":
                assert matcher.is_accepting()
            else:
                assert answer.finish_reason in ("length", "loop")
                assert not matcher.is_stopped()


def test_log_probabilities_are_those_of_the_model_without_the_grammar(tmp_path: Path) -> None:
    weights = {head: {"adapter": None, "max_tokens": 24} for head in HEADS}
    engine = PaliGemmaEngine.load(build_tiny(tmp_path, heads=weights), device="cpu")
    request = Request(next(heads(constrained=True)), noise())
    greedy = engine.generate([request])[0]
    beam = engine.generate([replace(request, head=next(heads(constrained=True, num_beams=2)))])[0]
    assert greedy.text.startswith("<t")
    # A random model would not write '<table>' by itself: what it was made to write is as unlikely as it was.
    assert sum(greedy.logprobs[:6]) < -6 * 2
    pairs = zip((*greedy.tokens, "no"), (*beam.tokens, "none"), strict=False)
    shared = next(index for index, (own, other) in enumerate(pairs) if own != other)
    assert shared >= 3
    # The beam's are read back in one pass over the answer, without any mask.
    assert greedy.logprobs[:shared] == pytest.approx(beam.logprobs[:shared], abs=1e-3)


def test_beams_that_change_places_take_their_grammar_with_them(
    constraints: dict[str, Constraint], tokenizer: PreTrainedTokenizerBase
) -> None:
    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    def allowed(rows: list[str]) -> list[set[str]]:
        scores = torch.zeros(len(rows), len(tokenizer) + 7)
        masked = mask(torch.tensor([[7, 7, *ids(row)] for row in rows]), scores)
        return [
            set(tokenizer.convert_ids_to_tokens(row.isfinite().nonzero()[:, 0].tolist())) for row in masked
        ]

    mask = GrammarMask(constraints["molecule"], prompt_length=2, closing=[EOS, PAD])
    allowed(["", ""])
    allowed(["C", "["])
    inside, outside = allowed(["[C", "C("])
    assert "]" in inside
    assert "(" not in outside
    # The second beam dies out and the first takes its place, then both go on apart.
    first, second = allowed(["[Cl", "[Ca"])
    assert "]" in first
    assert "]" in second
    first, second = allowed(["[Ca]", "[Cl]"])
    assert first == second
    assert "<eos>" in first
    mask(torch.tensor([[7, 7, *ids("[Ca]"), EOS], [7, 7, *ids("[Cl]C")]]), torch.zeros(2, len(tokenizer)))


def test_a_head_without_a_grammar_says_so(tiny_engine: PaliGemmaEngine) -> None:
    head = replace(next(heads(constrained=True)), grammar=None)
    with pytest.raises(ConfigurationError, match="no grammar"):
        tiny_engine.generate([Request(head, noise())])


def test_an_unknown_grammar_names_the_known(vocabulary: GrammarVocabulary) -> None:
    with pytest.raises(ConfigurationError, match="spotting"):
        Constraint("poetry", vocabulary)


def test_without_llguidance_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tokenizer: PreTrainedTokenizerBase
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingDependencyError, match="pip install llguidance"):
        GrammarVocabulary.of(tokenizer, [EOS])


def test_decoding_is_free_unless_asked() -> None:
    assert all(not head.decoding.constrained and head.grammar in GRAMMARS for head in HEADS.values())


def test_more_spines_than_the_grammar_counts_are_refused(
    constraints: dict[str, Constraint], tokenizer: PreTrainedTokenizerBase
) -> None:
    def score(n: int) -> str:
        return "\n".join("\t".join([field] * n) for field in ("**kern", "4c", "*-"))

    assert refusal(constraints["score"], tokenizer, score(MAX_SPINES)) is None
    assert refusal(constraints["score"], tokenizer, score(MAX_SPINES + 1)) is not None


@pytest.mark.real
def test_the_truths_of_real_documents_are_taken(
    constraints: dict[str, Constraint], tokenizer: PreTrainedTokenizerBase, real_data: Path
) -> None:
    from docai.pipelines.evaluation.datasets.scores import kern_spines, read_kern

    n = 0
    for file in sorted(real_data.glob("scores/mozart/*.krn")):
        assert refusal(constraints["score"], tokenizer, kern_spines(read_kern(file))) is None, file.name
        n += 1
    truths = json.loads((real_data / "tables/teds-parity/sample_gt.json").read_text())
    for name, truth in truths.items():
        html = HEADS["table"].parser(truth["html"]).content.html
        assert refusal(constraints["table"], tokenizer, html) is None, name
        n += 1
    assert n
    for file in sorted(real_data.glob("molecules/**/*.smi")):
        smiles = file.read_text().split()[0]
        assert refusal(constraints["molecule"], tokenizer, smiles) is None, smiles


def test_parsers_know_what_the_grammars_leave_to_them() -> None:
    assert "molecule-ring-closure" in {issue.code for issue in parse_molecule("C1CC").issues}
    assert "score-measure-duration" in {
        issue.code for issue in parse_score("**kern\n*M4/4\n=1\n1c\n=2\n4c\n=3\n1d\n=4\n*-").issues
    }
