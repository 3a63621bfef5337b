"""How well the weights of a run read held-out pairs: one metric per head, and exact match.

============  ======================================================================================
``table``     TEDS of the canonical form, mean (:mod:`docai.pipelines.evaluation.metrics.teds`)
``molecule``  share of equal isomeric canonical SMILES
``score``     symbol error rate, a ratio of sums; 0 is best
``text``      end-to-end F1 of words at an IoU of 0.5, by HierText's rules
============  ======================================================================================

``exact`` is the share of answers equal to the target, character by character; it is the metric of heads that
are not in the table. Answers are generated greedily, up to the length of the longest target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import torch

from docai.contents import MoleculeContent, TextContent
from docai.errors import LimitError
from docai.models.answering import answer_crops
from docai.models.generation import SpecialTokens, token_texts
from docai.models.heads import Head
from docai.parsers.base import Parser
from docai.pipelines.evaluation.base import Ratio, SpottedWord
from docai.pipelines.evaluation.statistics import bootstrap, corpus
from docai.pipelines.training.best_weights import Measured
from docai.pipelines.training.pairs import Pair, Pairs, square

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

Answers = Sequence[tuple[str, str]]
"""Answer and target of each pair."""

_SQUARE_SIDE: Final = 1024.0
"""Side of the square in which boxes are compared; overlaps do not depend on it."""

_Z_95_PERCENT: Final = 1.959964
"""Half width, in standard deviations, of the middle 95 % of a normal distribution."""


@dataclass(frozen=True)
class Metric:
    """One figure over all held-out pairs, a ratio of sums."""

    name: str
    higher_is_better: bool
    ratios: Callable[[Parser, Answers], list[Ratio]]
    """Numerator and denominator of each pair. Raises ``MissingDependencyError`` without its package."""
    probe: str = ""
    """An answer whose measurement needs all packages of the metric."""

    @property
    def key(self) -> str:
        """Its name in logs and TensorBoard."""
        return self.name.replace(" ", "_")

    def value(self, parser: Parser, answers: Answers) -> float:
        """The figure over all answers."""
        return corpus(self.ratios(parser, answers)) or 0.0

    def is_better(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than the best so far."""
        return best is None or (value > best if self.higher_is_better else value < best)

    def measured(self, parser: Parser, answers: Answers, step: int) -> Measured:
        """The figure and its confidence interval, for the weights after ``step``."""
        ratios = self.ratios(parser, answers)
        interval = interval_of(ratios)
        low, high = (None, None) if interval is None else interval
        exact = sum(answer == target for answer, target in answers) / len(answers)
        return Measured(step, self.name, corpus(ratios) or 0.0, exact, len(answers), low, high)


def interval_of(ratios: Sequence[Ratio]) -> tuple[float, float] | None:
    """The 95 % confidence interval of the figure; None where there are too few pairs.

    For a share of pairs it is Wilson's score interval (1927), which is also meaningful for 0 of 50; for other
    figures a bootstrap over pairs (:mod:`docai.pipelines.evaluation.statistics`).
    """
    n = len(ratios)
    if n and all(ratio.denominator == 1 and ratio.numerator in (0, 1) for ratio in ratios):
        share = sum(ratio.numerator for ratio in ratios) / n
        z = _Z_95_PERCENT
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n * n))
        # Exactly 0 and 1 where no answer or every answer is right.
        return (middle - half if share else 0.0), (middle + half if share < 1 else 1.0)
    interval = bootstrap(ratios)
    return None if interval is None else (interval.low, interval.high)


def _exact(parser: Parser, answers: Answers) -> list[Ratio]:
    return [Ratio(answer == target, 1) for answer, target in answers]


def _teds(parser: Parser, answers: Answers) -> list[Ratio]:
    from docai.pipelines.evaluation.metrics.teds import teds_canonical

    def similarity(answer: str, target: str) -> float:
        try:
            return teds_canonical(answer, target)
        except LimitError:
            # An answer without end that was cut off: its similarity would be close to 0.
            return 0.0

    return [Ratio(similarity(answer, target), 1) for answer, target in answers]


def _same_molecule(parser: Parser, answers: Answers) -> list[Ratio]:
    def smiles(text: str) -> str | None:
        content = parser(text).content
        return content.smiles if isinstance(content, MoleculeContent) else None

    pairs = ((smiles(answer), smiles(target)) for answer, target in answers)
    return [Ratio(given is not None and given == true, 1) for given, true in pairs]


def _symbol_errors(parser: Parser, answers: Answers) -> list[Ratio]:
    from docai.pipelines.evaluation.metrics.scores import kern_error_rates

    return [kern_error_rates([given], [true], preparation="printed").symbols for given, true in answers]


def _word_f1(parser: Parser, answers: Answers) -> list[Ratio]:
    from docai.pipelines.evaluation.metrics.spotting import spotting

    def spotted_words(text: str) -> list[SpottedWord]:
        content = parser(text).content
        if not isinstance(content, TextContent):
            return []
        words = []
        for word in (word for line in content.lines for word in line.words):
            if word.bbox is not None:
                x0, y0, x1, y1 = (value * _SQUARE_SIDE for value in word.bbox)
                words.append(SpottedWord(text=word.text, polygon=[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
        return words

    results = [spotting(spotted_words(answer), spotted_words(true)) for answer, true in answers]
    # F1 is twice the number of right words over the number of words in truth and answer.
    return [Ratio(2 * result.n_right, result.n_truth + result.n_predictions) for result in results]


_EXACT = Metric("exact", higher_is_better=True, ratios=_exact)
_METRICS: Mapping[str, Metric] = {
    "table": Metric("TEDS", higher_is_better=True, ratios=_teds, probe="<table><tr><td>a</td></tr></table>"),
    "molecule": Metric("exact SMILES", higher_is_better=True, ratios=_same_molecule),
    "score": Metric("SER", higher_is_better=False, ratios=_symbol_errors, probe="**kern\n4c\n*-"),
    "text": Metric(
        "word F1", higher_is_better=True, ratios=_word_f1, probe="<loc0000><loc0000><loc0009><loc0009> a"
    ),
}


def metric_for(head: Head) -> Metric:
    """The metric of a head.

    Raises:
        MissingDependencyError: a package that the metric needs is not installed.
    """
    metric = _METRICS.get(head.name, _EXACT)
    metric.value(head.parser, [(metric.probe, metric.probe)])
    return metric


def read_pairs_with(
    model: PaliGemmaForConditionalGeneration | PeftModel,
    processor: PaliGemmaProcessor,
    head: Head,
    pairs: Pairs,
    *,
    max_tokens: int,
    batch: int,
    causal_prompt: bool = False,
) -> list[tuple[str, str]]:
    """The model's answer to each pair, and the target. The model is left in the mode that it was in.

    Args:
        max_tokens: longest answer, with its end token.
        batch: number of crops at once.
        causal_prompt: whether it is trained so.
    """
    base = _base_of(model)
    vocabulary = SpecialTokens.of(base, processor)
    answers: list[tuple[str, str]] = []
    on_gpu = base.device.type == "cuda"
    precision = torch.autocast(base.device.type, torch.bfloat16, enabled=on_gpu)
    with torch.no_grad(), precision, _evaluation_mode(base):
        for start in range(0, len(pairs), batch):
            group: list[Pair] = [pairs[index] for index in range(start, min(start + batch, len(pairs)))]
            images = [square(pair.image, head.resolution) for pair in group]
            written = answer_crops(
                base,
                processor,
                head.prompt,
                images,
                budget=max_tokens,
                decoding=head.decoding,
                n_slots=batch,
                causal_prompt=causal_prompt,
            )
            for pair, answer in zip(group, written, strict=True):
                tokens = [token for token in answer.tokens if token not in vocabulary.silent]
                answers.append(("".join(token_texts(processor.tokenizer, tokens)), pair.target))
    return answers


def _base_of(model: PaliGemmaForConditionalGeneration | PeftModel) -> PaliGemmaForConditionalGeneration:
    from peft import PeftModel

    if isinstance(model, PeftModel):
        return cast("PaliGemmaForConditionalGeneration", model.get_base_model())
    return model


@contextmanager
def _evaluation_mode(model: PaliGemmaForConditionalGeneration) -> Iterator[None]:
    """In evaluation mode: without dropout, and with a cache despite gradient checkpointing."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
