"""The model's answer and a witness's: which is believed, and how sure the record is then.

The rule, for molecules, and for tables and words that no text layer tells:

1. The answer of the model is *sound* where it ended by itself, parsed without an error and holds something.
   That of a witness is *clear* where the witness made out all that it saw: a valid structure without dummy
   atoms, a text that is mostly words, a table of words that are likelier read than guessed.
2. Both say the same: that is the content, both are its evidence, and the confidence rises.
3. The model's is not sound: the witness is believed, where there is any trust in it.
4. They differ: the likelier one is believed. That is the model, unless its own *calibrated* confidence is
   below the trust in the witness. An uncalibrated number decides nothing.
5. Whichever is not believed is kept in ``alternatives``, and that they differ is an issue.

The trust in a witness is how often it was right (:data:`TRUST`), where it was clear and where not
(:data:`UNCLEAR`). One that was not clear is believed with as little confidence, and over a model that is
worse; otherwise it changes nothing but the alternatives.

How sure. Two readers share nothing: the model is right with probability p (0.5 where nobody has measured
it), the witness with w, and two wrong answers are alike in a share c of cases
(:data:`COINCIDENCE`). By Bayes' rule the answer that both give is right with
``p w / (p w + (1 - p) (1 - w) c)``; where they differ the model is right with ``p (1 - w) / (1 - p w)`` and
the witness with ``w (1 - p) / (1 - p w)``, so the witness is the likelier one where ``p < w``. A poor model
that knows it is outvoted, a good one is confirmed or doubted: the rule holds for a model of any quality. Of a
text, p is the mean confidence of its words, and each word is raised or lowered by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from docai.base import Content
from docai.contents import Issue, MoleculeContent, Severity, TableContent, TextContent, Word
from docai.issues import make_issue
from docai.pipelines.evidence.base import Statement, Weighed, same_grid, unweighed
from docai.pipelines.evidence.text_layer import MIN_AGREEMENT
from docai.pipelines.recognition.answer import Answer
from docai.pipelines.words import agreement, cell_words, plain, right_words
from docai.records import Alternative, Confidence, Evidence

COINCIDENCE: Final = 0.05
"""Share of the cases where both readers are wrong in which they are wrong alike. A guess on the high side:
there are thousands of wrong answers, but what misleads one reader, such as a smudge, misleads others."""


@dataclass(frozen=True)
class Trust:
    """How often a witness is right where it is clear."""

    record: float
    """Its whole answer."""
    part: float
    """A word or an atom of it."""


TRUST: Final[dict[Evidence, Trust]] = {
    "osra": Trust(record=0.8, part=0.9),
    "tesseract": Trust(record=0.6, part=0.9),
}
"""Of whole answers rounded down from what ``benchmarks/witnesses.py`` measures over all sets: 0.85 of
OSRA's 232 clear structures; of Tesseract's 83 clear paragraphs (``--limit 120``) 0.65, and 0.98 of their
words: scans are harder than drawn pages."""

TABLE_TRUST: Final = Trust(record=0.2, part=0.6)
"""Of tables read from Tesseract's words. Of 30 drawn ones of difficulty 0.3 it had 26 wholly right, of ten
published ones none, so this is a guess between, on the low side, as real tables are of the latter kind."""

UNCLEAR: Final[dict[Evidence, Trust]] = {"tesseract": Trust(record=0.1, part=0.3)}
"""Where a witness did not make out all that it saw. Of 42 such texts in the same measurement 6 were wholly
right, and a third of their words: some are short or French, others of a script that it does not know. Of 36
such structures none was right; tables were not measured. Those decide nothing."""

_NONE: Final = Trust(record=0.0, part=0.0)

_OTHER_GRID: Final = 0.99

_UNKNOWN: Final = 0.5


def agreed(p: float, w: float) -> float:
    """Probability that the answer which both readers give is right."""
    both, none = p * w, (1 - p) * (1 - w) * COINCIDENCE
    return both / (both + none) if both + none else 0.0


def contradicted(p: float, w: float) -> float:
    """Probability that the reader who is right with ``p`` is right, where the other one differs from it."""
    return p * (1 - w) / (1 - p * w) if p * w < 1 else 0.5


def weigh(answer: Answer, statement: Statement, *, is_calibrated: bool) -> Weighed:
    """Decide between the model and a witness by the rule of this module.

    Args:
        answer: the model's, of a molecule, a table or a text.
        statement: the witness's, of the same region.
        is_calibrated: the confidences of the answer come true as often as they say.
    """
    alone = unweighed(answer)
    other = statement.content
    if answer.finish_reason == "blank":
        return alone
    if other is None:
        return _beside(alone, statement, () if statement.issues else (_silent(answer, statement),))
    if not answer.is_sound or answer.content.is_empty:
        return _believed(answer, statement, 0.0) if _trust(statement) else _unclear(alone, statement)
    same = _same(answer.content, other)
    if same == 1.0:
        return _confirmed(answer, statement)
    sure = _surety(answer) if is_calibrated else None
    if sure is not None and sure < _trust(statement):
        return _believed(answer, statement, sure)
    return _differing(answer, statement, same) if statement.is_clear else _unclear(alone, statement)


def unread(statement: Statement) -> Weighed | None:
    """What a witness sees of a region that no model read; None where it sees nothing clear."""
    if statement.content is None or not statement.is_clear:
        return None
    trust = _trust_in(statement)
    method = f"share of the clear answers of {statement.source} that are right"
    confidence = Confidence(value=trust.record, method=method)
    return Weighed(statement.content, (statement.source,), confidence, (), statement.issues)


def _same(one: Content, other: Content) -> float:
    """1 where both say the same; of texts the share of words that both have (F1)."""
    match one, other:
        case MoleculeContent(), MoleculeContent():
            return float(one.smiles is not None and one.smiles == other.smiles)
        case TextContent(), TextContent():
            return agreement(one.text.split(), other.text.split())
        case TableContent(), TableContent():
            # The same words in another grid are not the same table.
            return (
                1.0
                if same_grid(one, other)
                else min(_OTHER_GRID, agreement(cell_words(one), cell_words(other)))
            )
    raise TypeError(f"{type(one).__name__} is not held against {type(other).__name__}.")


def _surety(answer: Answer) -> float | None:
    """How likely the model is right by its own account; of a text, in one of its words."""
    if isinstance(answer.content, TextContent):
        values = [value for value in answer.content.part_confidences() if value is not None]
        return sum(values) / len(values) if values else None
    return answer.confidence.value


def _trust_in(statement: Statement) -> Trust:
    """Where it is clear, or says what the model says."""
    return TABLE_TRUST if isinstance(statement.content, TableContent) else TRUST[statement.source]


def _trust_against(statement: Statement) -> Trust:
    """Where the model says another thing."""
    if statement.is_clear:
        return _trust_in(statement)
    return UNCLEAR.get(statement.source, _NONE) if isinstance(statement.content, TextContent) else _NONE


def _trust(statement: Statement) -> float:
    """How likely the witness is right against the model, by the measure of :func:`_surety`."""
    trust = _trust_against(statement)
    return trust.part if isinstance(statement.content, TextContent) else trust.record


def _confirmed(answer: Answer, statement: Statement) -> Weighed:
    return Weighed(
        _with_parts(answer.content, statement),
        ("model", statement.source),
        _confidence(answer, statement, agrees=True),
        issues=statement.issues,
    )


def _differing(answer: Answer, statement: Statement, same: float) -> Weighed:
    """The model is believed."""
    source = statement.source
    evidence: tuple[Evidence, ...] = ("model", source) if same >= MIN_AGREEMENT else ("model",)
    severity: Severity = "info" if same >= MIN_AGREEMENT else "warning"
    what = _difference(answer.content, statement, same)
    issue = make_issue(
        "witness-disagrees", f"{source} reads it otherwise; the model was believed. {what}", severity=severity
    )
    is_text = isinstance(answer.content, TextContent)
    return Weighed(
        _with_parts(answer.content, statement) if is_text else answer.content,
        evidence,
        _confidence(answer, statement, agrees=False),
        (Alternative(source=source, content=statement.text, reason="the model's answer was believed"),),
        (issue, *statement.issues),
    )


def _believed(answer: Answer, statement: Statement, sure: float) -> Weighed:
    """The witness is believed, over a model that is right with the probability ``sure``."""
    assert statement.content is not None
    source, trust = statement.source, _trust_against(statement).record
    if isinstance(statement.content, TextContent) and sure:
        # That a word is right is likelier than that all are.
        sure = min(sure, answer.confidence.value or 0.0)
    reason = "the model's answer is invalid or incomplete"
    if answer.is_sound:
        reason = f"the model gives its own answer {sure:.0%}, which is less than {source} is right"
    kept = (Alternative(source="model", content=answer.raw, reason=reason),) if answer.raw.strip() else ()
    doubt = "" if statement.is_clear else ", though it could not make out all of it"
    issue = make_issue("witness-believed", f"The answer of {source} was believed{doubt}: {reason}.")
    kind = "clear" if statement.is_clear else "unclear"
    confidence = Confidence(
        value=contradicted(trust, sure),
        method=f"share of {source}'s {kind} answers that are right, given the model's confidence",
    )
    return Weighed(statement.content, (source,), confidence, kept, (issue, *statement.issues), repaired=True)


def _unclear(alone: Weighed, statement: Statement) -> Weighed:
    message = f"{statement.source} could not make out all of it; what it read is kept, and decided nothing."
    issue = make_issue("witness-silent", message)
    kept = Alternative(
        source=statement.source, content=statement.text, reason="it could not make out all of it"
    )
    return _beside(alone, statement, (issue,), (kept,))


def _silent(answer: Answer, statement: Statement) -> Issue:
    message = f"{statement.source} sees nothing there that it can read."
    if isinstance(answer.content, MoleculeContent) and answer.content.is_valid:
        # OSRA makes a structure of nearly every drawing of one, and was seen to make none of anything else.
        message = f"{statement.source} sees no structure there: it may be a picture of something else."
        return make_issue("witness-silent", message, severity="warning")
    return make_issue("witness-silent", message)


def _beside(
    alone: Weighed, statement: Statement, issues: tuple[Issue, ...], kept: tuple[Alternative, ...] = ()
) -> Weighed:
    return Weighed(alone.content, alone.evidence, alone.confidence, kept, (*issues, *statement.issues))


def _confidence(answer: Answer, statement: Statement, *, agrees: bool) -> Confidence:
    own, trust = answer.confidence, _trust_in(statement).record
    if own.value is None:
        if not agrees:
            return own
        value = agreed(_UNKNOWN, trust)
    else:
        value = agreed(own.value, trust) if agrees else contradicted(own.value, trust)
    how = "raised" if agrees else "lowered"
    base = own.method if own.value is not None else "not measured"
    parts = own.parts
    if parts != "none" and (agrees or isinstance(answer.content, TextContent)):
        parts = f"{parts}; raised or lowered by {statement.source}"
    return Confidence(value=value, method=f"{base}; {how} by {statement.source} (Bayes' rule)", parts=parts)


def _with_parts(content: Content, statement: Statement) -> Content:
    """Words that are surer where the witness has them at their place, and less so where not.

    Of a molecule, which both have as a whole, all atoms are surer.
    """
    own, other = content.part_confidences(), statement.content
    trust = _trust_in(statement).part
    confirmed = [True] * len(own)
    if isinstance(content, TextContent) and isinstance(other, TextContent):
        confirmed = right_words(_words(content), _words(other))
    values = [
        None if value is None else agreed(value, trust) if is_seen else contradicted(value, trust)
        for value, is_seen in zip(own, confirmed, strict=True)
    ]
    return content.with_confidences(values)


def _words(content: TextContent) -> list[Word]:
    """Its words, in the form in which they are compared."""
    return [
        word.model_copy(update={"text": plain(word.text)}) for line in content.lines for word in line.words
    ]


def _difference(content: Content, statement: Statement, same: float) -> str:
    other = statement.content
    if isinstance(content, MoleculeContent) and isinstance(other, MoleculeContent):
        return f"The formulas are {content.formula} and {other.formula}."
    if isinstance(content, TableContent) and isinstance(other, TableContent):
        sizes = [f"{grid.n_rows} x {grid.n_cols}" for grid in (content, other)]
        return f"The grids are {sizes[0]} and {sizes[1]}; they agree in {same:.0%} of their words."
    return f"They agree in {same:.0%} of their words."
