"""The rule by which the readings of one region become one decision: what is believed, and how sure it is.

Readings come from the model (the PaliGemma 2 head of the region), from the PDF's own words and drawing, and
from *second readers*: the table finder where there are words to believe, else Imago and OSRA for molecules,
PP-OCR and Tesseract for text and tables. Several become one
(:func:`~docai.pipelines.evidence.second_readers.join_second_readers`): what more of them say has the trust of
all of them together, by Bayes' rule, and the others count against it. A reading is *complete* where the
reader made out all that it saw: the model ended by itself with a text that parses, a structure is valid and
without dummy atoms, a text is mostly words (:attr:`~docai.pipelines.evidence.base.Reading.complete`). The
order of trust:

1. **The PDF's own words, where they look like text**, are the content of a text region. A model that reads
   other words is an issue, and its reading an alternative. The confidence is the agreement with the model
   (word F1); where no model read, the share of readable characters, and none where they are of the invisible
   text layer of a scan, which another program read. Words that look broken are an
   alternative and decide nothing.
2. **A table that has such words** takes them into its cells (not with ``text_layer="verify"``). Of its grid
   four sources tell, in this order:

   - **drawn rules**: a rule says that two cells are two, and a boundary that is ruled elsewhere and not here
     says that two are one;
   - **the words**: the white lanes between them, the steps of their lines, the kinds of their values;
   - **the layout model of PyMuPDF**: how many tables it sees there, of how many rows and columns;
   - **the pixels**, which the model reads: its grid stands where the others are not sure.

   The table finder makes a grid of the first two; how well all but the pixels speak for it is its
   *structure*, a measured probability (:mod:`docai.pipelines.evidence.structure.judge`). From 0.7 on no
   model is asked with ``prefer``. Where one was asked, the grid is the finder's if the model's reading is not
   complete, or agrees with the words by less than 0.9 and worse than the finder's, or if the structure is
   above the model's own *calibrated* confidence; for a model without one, if it is 0.7 or more. Else, and
   where the finder sees no table, it is the model's, if that agrees with the words by half; if not, the
   lines of the words are the rows, with a confidence of 0. The confidence is the structure times the
   agreement with the words; the same grid of both raises it, another one lowers it, by Bayes' rule. The
   reason is that of the alternative, and of the issue.
3. **The drawing of a molecule or score, where it is read soundly** (valid, with a confidence of 0.9 or more,
   which rests on the strokes and glyphs that it explains), is the content. What others read where they were
   asked, as with ``drawings="verify"``, raises or lowers its confidence by Bayes' rule; where they differ,
   theirs is an alternative and an issue. One that is not sound is a second reader with its own confidence
   for trust.
4. **Everything else** is between the model and the second reader.

   - Both say the same: that is the content, both are its evidence, and the confidence rises.
   - The model's reading is not complete, or holds nothing: the second reader is believed, where there is
     any trust in it (:mod:`docai.pipelines.evidence.trust`).
   - They differ: the likelier one is believed. That is the model, unless its own *calibrated* confidence
     is below the trust in the second reader. An uncalibrated number decides nothing.
   - No model read: the second reader's reading is the content, with its trust for confidence; one that is
     not complete has a warning.
   - A second reader that is not complete is believed with as little confidence, and over a model that is
     worse; otherwise it changes nothing but the alternatives.

Whichever is not believed is kept in ``alternatives``, and that they differ is an issue. Where the content
rests on others alone, the issues of the model's answer are **infos** that say so (:func:`of_model`), and that
it was not asked is a warning at most (:func:`downgrade_errors`): they do not spoil a record that somebody
else could read.

**How sure.** Two readers share nothing: the model is right with probability p (0.5 where nobody has measured
it), the second reader with w, and two wrong answers are alike in a share c of cases. Bayes' rule
(:func:`~docai.pipelines.evidence.trust.bayes`) gives the probability of the model's answer from how
likely what the second reader says is where the model is right and where it is wrong: w and (1 - w) c where
they say the same, 1 - w and 1 where they differ. The probability of the second reader's answer, where they
differ, is the same with p and w exchanged, so it is the likelier one where ``p < w``. A poor model that knows
it is outvoted, a good one is confirmed or doubted: the rule holds for a model of any quality. Of a text, p is
the mean confidence of its words, and each word is raised or lowered by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from docai.base import Content
from docai.contents import (
    FigureContent,
    Issue,
    MoleculeContent,
    Severity,
    TableContent,
    TextContent,
    Word,
)
from docai.issues import make_issue
from docai.models.heads import FIGURE
from docai.pipelines.evidence.agreement import describe_difference, own_probability, share_alike
from docai.pipelines.evidence.base import Decision, Reading, alone, content_of
from docai.pipelines.evidence.drawing import is_sound
from docai.pipelines.evidence.drawing_decision import decide_drawn
from docai.pipelines.evidence.second_readers import join_second_readers
from docai.pipelines.evidence.table_choice import doubts_of
from docai.pipelines.evidence.table_decision import decide_table, decide_unread_table, number_issues
from docai.pipelines.evidence.text_layer import MIN_AGREEMENT, word_difference
from docai.pipelines.evidence.trust import agreed, contradicted, probability_against, trust_against, trust_in
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import agreement, plain, right_words
from docai.records import Alternative, Confidence, Evidence

_UNMEASURED_PROBABILITY: Final = 0.5

MIN_WORD: Final = 0.5
"""Mean probability that its words are right below which an unclear text is none: in photographs and drawings
an OCR engine makes letters of edges."""


def decide(
    kind: str,
    model: Reading | None,
    readings: Sequence[Reading],
    *,
    words: Sequence[PageWord] = (),
    prefer_words: bool = True,
) -> Decision | None:
    """What the record of a region holds, by the rule of this module.

    Args:
        kind: of the region.
        model: what its head reads; None where it was not asked.
        readings: of all others: the PDF's own words, and second readers.
        words: the PDF's own in the region, where they can be believed.
        prefer_words: table cells take their text from the words.

    Returns:
        None where nobody made anything out.
    """
    decision = _decide(kind, model, readings, words, prefer_words)
    if decision is None or not isinstance(decision.content, TableContent):
        return decision
    return replace(decision, issues=(*decision.issues, *number_issues(decision.content)))


def _decide(
    kind: str,
    model: Reading | None,
    readings: Sequence[Reading],
    words: Sequence[PageWord],
    prefer_words: bool,
) -> Decision | None:
    native = next((reading for reading in readings if reading.source == "text-layer"), None)
    second, rest = join_second_readers([one for one in readings if one.source != "text-layer"])
    decision = _decide_by(kind, model, native, second, readings, words, prefer_words)
    rest = (*rest, *(second.left_out if second is not None else ()))
    if decision is None or not rest:
        return decision
    return replace(decision, alternatives=(*decision.alternatives, *rest))


def _decide_by(
    kind: str,
    model: Reading | None,
    native: Reading | None,
    second: Reading | None,
    readings: Sequence[Reading],
    words: Sequence[PageWord],
    prefer_words: bool,
) -> Decision | None:
    if kind == FIGURE:
        return _decide_figure(native, second)
    if second is not None and is_sound(second):
        others = [one for one in readings if one.source not in ("text-layer", "drawing")]
        return decide_drawn(second, [model, *others] if model is not None else others)
    if model is None:
        return _decide_unread(kind, native, second, words)
    if kind == "table" and words:
        return decide_table(model, words, second, prefer_words=prefer_words)
    if kind == "text" and native is not None and native.complete:
        return _decide_text(model, native)
    decision = alone(model) if second is None else _decide_pair(model, second)
    if kind == "text" and native is not None:
        broken = Alternative(source="text-layer", content=native.text, reason="the words look broken")
        decision = replace(decision, alternatives=(*decision.alternatives, broken))
    return decision


_OTHER_ANSWER: Final = "In the model's other answer"


def is_model_beaten(decision: Decision) -> bool:
    """Others alone are believed."""
    return bool(decision.evidence) and "model" not in decision.evidence


def downgrade_errors(issues: Sequence[Issue], decision: Decision) -> list[Issue]:
    """Why the model was not asked, and the like: warnings at most where others alone are believed."""
    if not is_model_beaten(decision):
        return list(issues)
    return [
        issue.model_copy(update={"severity": "warning"}) if issue.severity == "error" else issue
        for issue in issues
    ]


def of_model(issues: Sequence[Issue], decision: Decision) -> list[Issue]:
    """The issues of the model's answer: where others alone are believed they are not about the record."""
    if not is_model_beaten(decision):
        return list(issues)
    return [
        issue.model_copy(update={"severity": "info", "message": f"{_OTHER_ANSWER}: {issue.message}"})
        for issue in issues
    ]


def _decide_figure(native: Reading | None, second: Reading | None) -> Decision:
    """A figure has the PDF's own words, else those that an OCR engine sees in it."""
    if native is None and second is not None and not second.is_nothing:
        content = FigureContent(text=second.text)
        return Decision(content, ("layout", second.source), second.confidence, (), second.issues)
    evidence: tuple[Evidence, ...] = ("layout",) if native is None else ("layout", "text-layer")
    return Decision(FigureContent(text="" if native is None else native.text), evidence, Confidence())


def _decide_unread(
    kind: str, native: Reading | None, second: Reading | None, words: Sequence[PageWord]
) -> Decision | None:
    """What others read of a region that no model read."""
    if kind == "table" and words:
        return decide_unread_table(words, second)
    if kind == "text" and native is not None and native.complete:
        return Decision(content_of(native), ("text-layer",), native.confidence)
    if second is None or second.content is None or second.is_nothing:
        return None
    confidence, issues = second.confidence, (*second.issues, *doubts_of(second))
    if confidence.value is None:
        quality = "clear" if second.complete else "unclear"
        method = f"share of the {quality} answers of {second.source} that are right"
        confidence = Confidence(value=trust_against(second).record, method=method)
    if not second.complete:
        message = f"{second.source} could not make out all of it, and nobody else read it."
        issues = (*issues, make_issue("witness-unclear", message))
        if isinstance(second.content, TextContent) and trust_against(second).part < MIN_WORD:
            unread = Alternative(source=second.source, content=second.text, reason="most of it is no words")
            return Decision(TextContent(), (), Confidence(), (unread,), issues)
    return Decision(second.content, (second.source, *second.supporters), confidence, (), issues)


def _decide_text(model: Reading, native: Reading) -> Decision:
    """The PDF's own words are the content; what the model reads confirms or doubts them."""
    content, read = content_of(native), content_of(model)
    if not isinstance(read, TextContent):
        raise TypeError(f"A text is to be decided, not {type(read).__name__}.")
    if model.finish_reason in ("blank", "error"):
        return Decision(content, ("text-layer",), Confidence(), repaired=True)
    share = agreement(read.text.split(), native.text.split())
    confidence = Confidence(
        value=share, method="agreement of the PDF's own words with the model's reading (word F1)"
    )
    if share == 1.0:
        return Decision(content, ("text-layer", "model"), confidence)
    issue = make_issue(
        "text-layer-disagrees",
        f"The model's reading agrees with the PDF's own words by {share:.0%}; the words were believed. "
        + word_difference(read.text.split(), native.text.split()),
        severity="warning" if share < MIN_AGREEMENT else "info",
    )
    reading = Alternative(source="model", content=model.text, reason="the PDF's own words were believed")
    evidence: tuple[Evidence, ...] = ("text-layer", "model") if share >= MIN_AGREEMENT else ("text-layer",)
    return Decision(content, evidence, confidence, (reading,), (issue,), repaired=True)


def _decide_pair(model: Reading, second: Reading) -> Decision:
    """Between the model and a second reader: point 3 of the rule."""
    if model.finish_reason == "blank":
        return alone(model)
    if second.content is None:
        # A reader that failed has said so.
        return _beside(model, second, () if second.issues else (_saw_nothing(model, second),))
    if not model.complete or content_of(model).is_empty:
        return (
            _believe_second(model, second, 0.0) if probability_against(second) else _undecided(model, second)
        )
    share = share_alike(content_of(model), second.content)
    if share == 1.0:
        return _confirm(model, second)
    probability = own_probability(model) if model.is_calibrated else None
    if probability is not None and probability < probability_against(second):
        return _believe_second(model, second, probability)
    return _believe_model(model, second, share) if second.complete else _undecided(model, second)


def _confirm(model: Reading, second: Reading) -> Decision:
    return Decision(
        _with_parts(content_of(model), second),
        ("model", second.source, *second.supporters),
        _confidence(model, second, agrees=True),
        issues=second.issues,
    )


def _believe_model(model: Reading, second: Reading, share: float) -> Decision:
    content, source = content_of(model), second.source
    is_near = share >= MIN_AGREEMENT
    evidence: tuple[Evidence, ...] = ("model", source) if is_near else ("model",)
    severity: Severity = "info" if is_near else "warning"
    difference = describe_difference(content, second, share)
    message = f"{source} reads it otherwise; the model was believed. {difference}"
    issue = make_issue("witness-disagrees", message, severity=severity)
    return Decision(
        _with_parts(content, second) if isinstance(content, TextContent) else content,
        evidence,
        _confidence(model, second, agrees=False),
        (Alternative(source=source, content=second.text, reason="the model's answer was believed"),),
        (issue, *second.issues),
    )


def _believe_second(model: Reading, second: Reading, probability: float) -> Decision:
    """The second reader is believed, over a model that is right with that probability."""
    content, source, trust = content_of(second), second.source, trust_against(second).record
    if isinstance(content, TextContent) and probability:
        # That a word is right is likelier than that all are.
        probability = min(probability, model.confidence.value or 0.0)
    reason = "the model's answer is invalid or incomplete"
    if model.complete:
        reason = f"the model gives its own answer {probability:.0%}, which is less than {source} is right"
    alternatives = (
        (Alternative(source="model", content=model.text, reason=reason),) if model.text.strip() else ()
    )
    doubt = "" if second.complete else ", though it could not make out all of it"
    issue = make_issue("witness-believed", f"The answer of {source} was believed{doubt}: {reason}.")
    quality = "clear" if second.complete else "unclear"
    confidence = Confidence(
        value=contradicted(trust, probability),
        method=f"share of {source}'s {quality} answers that are right, given the model's confidence",
    )
    evidence = (source, *second.supporters)
    issues = (issue, *second.issues, *doubts_of(second))
    return Decision(content, evidence, confidence, alternatives, issues, repaired=True)


def _undecided(model: Reading, second: Reading) -> Decision:
    message = f"{second.source} could not make out all of it; what it read is kept, and decided nothing."
    issue = make_issue("witness-silent", message)
    reading = Alternative(source=second.source, content=second.text, reason="it could not make out all of it")
    return _beside(model, second, (issue,), (reading,))


def _saw_nothing(model: Reading, second: Reading) -> Issue:
    message = f"{second.source} sees nothing there that it can read."
    if isinstance(model.content, MoleculeContent) and model.content.is_valid:
        # OSRA makes a structure of nearly every drawing of one, and was seen to make none of anything else.
        message = f"{second.source} sees no structure there: it may be a picture of something else."
        return make_issue("witness-silent", message, severity="warning")
    return make_issue("witness-silent", message)


def _beside(
    model: Reading,
    second: Reading,
    issues: tuple[Issue, ...],
    alternatives: tuple[Alternative, ...] = (),
) -> Decision:
    return replace(alone(model), alternatives=alternatives, issues=(*issues, *second.issues))


def _confidence(model: Reading, second: Reading, *, agrees: bool) -> Confidence:
    own, trust = model.confidence, trust_in(second).record
    if own.value is None:
        if not agrees:
            return own
        value = agreed(_UNMEASURED_PROBABILITY, trust)
    else:
        value = agreed(own.value, trust) if agrees else contradicted(own.value, trust)
    how = "raised" if agrees else "lowered"
    base = own.method if own.value is not None else "not measured"
    parts = own.parts
    if parts != "none" and (agrees or isinstance(model.content, TextContent)):
        parts = f"{parts}; raised or lowered by {second.source}"
    return Confidence(value=value, method=f"{base}; {how} by {second.source} (Bayes' rule)", parts=parts)


def _with_parts(content: Content, second: Reading) -> Content:
    """Words that are surer where the second reader has them at their place, and less so where not.

    Of a molecule, which both have as a whole, all atoms are surer.
    """
    values, other = content.part_confidences(), second.content
    trust = trust_in(second).part
    confirmed = [True] * len(values)
    if isinstance(content, TextContent) and isinstance(other, TextContent):
        confirmed = right_words(_words(content), _words(other))
    return content.with_confidences(
        [
            None if value is None else agreed(value, trust) if is_seen else contradicted(value, trust)
            for value, is_seen in zip(values, confirmed, strict=True)
        ]
    )


def _words(content: TextContent) -> list[Word]:
    """Its words, in the form in which they are compared."""
    return [
        word.model_copy(update={"text": plain(word.text)}) for line in content.lines for word in line.words
    ]
