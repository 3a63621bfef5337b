"""What is believed of a molecule or score that the page draws: point 3 of the rule of the arbiter."""

from __future__ import annotations

from collections.abc import Sequence

from docai.issues import make_issue
from docai.pipelines.evidence.agreement import describe_difference, own_probability, share_alike
from docai.pipelines.evidence.base import Decision, Reading, content_of
from docai.pipelines.evidence.trust import agreed, contradicted, trust_against
from docai.records import Alternative


def decide_drawn(drawn: Reading, others: Sequence[Reading]) -> Decision:
    """A sound drawing is the content; whoever was asked as well confirms or doubts it."""
    content, confidence = content_of(drawn), drawn.confidence
    value, evidence = confidence.value or 0.0, [drawn.source]
    alternatives, issues = [], list(drawn.issues)
    changed_by = []
    for other in others:
        if other.source != "model":
            issues += other.issues
        if other.content is None or other.content.is_empty:
            continue
        trust = trust_against(other).record
        if other.source == "model":
            trust = (own_probability(other) if other.is_calibrated else None) or 0.0
        share = share_alike(content, other.content)
        if share == 1.0:
            value, evidence = max(value, agreed(value, trust)), [*evidence, other.source]
        else:
            value = contradicted(value, trust)
            reason = "the drawing itself was believed"
            alternatives.append(Alternative(source=other.source, content=other.text, reason=reason))
            reader = "The model" if other.source == "model" else other.source
            difference = describe_difference(content, other, share)
            message = f"{reader} reads the picture otherwise; the drawing was believed. {difference}"
            issues.append(make_issue("drawing-disagrees", message))
        changed_by.append(other.source)
    if changed_by:
        method = f"{confidence.method}; compared with {' and '.join(changed_by)} (Bayes' rule)"
        confidence = confidence.model_copy(update={"value": value, "method": method})
    return Decision(content, tuple(evidence), confidence, tuple(alternatives), tuple(issues))
