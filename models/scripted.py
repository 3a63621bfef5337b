"""An engine without a model that returns given texts, for tests of code that uses docai."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from docai.errors import ConfigurationError, HeadNotAvailableError
from docai.models.engine import Generation, Request
from docai.records import FinishReason

Script = str | Sequence[str] | Callable[[Request], str | Generation]
"""The answers of one head: always the same text, one text after another, or the result of a function."""

_PIECES = re.compile(r"<loc\d{4}>|<seg\d{3}>|</?\w+>|\w+|\s|.", re.DOTALL)


class ScriptedEngine:
    """Returns given texts instead of running a model.

    >>> from PIL import Image
    >>> from docai.models.engine import Request
    >>> from docai.models.heads import get_head
    >>> engine = ScriptedEngine({"molecule": "CCO"})
    >>> crop = Image.new("RGB", (896, 896))
    >>> engine.generate([Request(get_head("molecule"), crop)])[0].text
    'CCO'

    A function may raise, to simulate a model that fails, or return a whole :class:`Generation`.
    """

    def __init__(
        self,
        answers: Mapping[str, Script],
        *,
        finish_reason: FinishReason = "stop",
        logprob: float = -0.1,
        checkpoint: str = "scripted@0",
        name: str = "scripted",
        accuracy: float | None = None,
    ) -> None:
        """
        Args:
            answers: head → its answers. Other heads have no weights.
            finish_reason: finish reason of every answer given as text.
            logprob: natural log-probability of every token of such an answer; at most 0.
            checkpoint: id of the weights in records.
            name: name of the engine.
            accuracy: see :meth:`docai.models.engine.Engine.accuracy`; the default is asked for every region.
        """
        self.requests: list[Request] = []
        """All requests so far, in order."""
        self._answers = dict(answers)
        self._used = dict.fromkeys(answers, 0)
        self._finish_reason = finish_reason
        self._logprob = logprob
        self._checkpoint = checkpoint
        self._name = name
        self._accuracy = accuracy

    @property
    def name(self) -> str:
        return self._name

    @property
    def device(self) -> str:
        return "none"

    def heads(self) -> frozenset[str]:
        return frozenset(self._answers)

    def accuracy(self, head: str) -> float | None:
        """The given one, of every head."""
        return self._accuracy

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """The next text for each request.

        Raises:
            HeadNotAvailableError: no answers were given for a head.
            ConfigurationError: a head has more requests than texts.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Generation:
        head = request.head.name
        if head not in self._answers:
            raise HeadNotAvailableError(
                f"The scripted engine has no texts for the head {head!r}; "
                f"it has texts for: {', '.join(self._answers) or 'none'}."
            )
        self.requests.append(request)
        script = self._answers[head]
        if isinstance(script, str):
            return self._generation(request, script)
        if callable(script):
            answer = script(request)
            return answer if isinstance(answer, Generation) else self._generation(request, answer)
        index = self._used[head]
        if index >= len(script):
            raise ConfigurationError(
                f"The scripted engine has no text left for the head {head!r}: "
                f"it was given {len(script)} and asked {index + 1} times. Give it more."
            )
        self._used[head] += 1
        return self._generation(request, script[index])

    def _generation(self, request: Request, text: str) -> Generation:
        tokens = tuple(_PIECES.findall(text))
        return Generation(
            text=text,
            finish_reason=self._finish_reason,
            tokens=tokens,
            logprobs=(self._logprob,) * len(tokens),
            checkpoint=self._checkpoint,
            prompt=request.head.prompt,
        )
