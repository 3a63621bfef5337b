"""Words and their order on pages whose truth is running text without boxes.

What is compared, on either side:

* The words of all items in the given order: plain text of text and figures, the text of a table's HTML
  with a break at each cell. SMILES and ``**kern`` are no words of the page and are left out.
* Texts are NFC. White space parts words, and each character of a script written without spaces (Chinese,
  Japanese, Thai, Lao, Burmese, Khmer) is a word. Case and punctuation are kept; marks without a shape
  (zero-width, direction) and soft hyphens are dropped.
* A hyphen between two letters is not compared, and a word that ends in a letter and a hyphen is joined to
  the next of its item where that starts in lower case: whether ``well-`` at a line's end is half of
  ``well-known`` or of ``wellbeing`` cannot be told from the page.

Pages are compared one by one and their counts summed: a word given on another page is a miss.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from docai.errors import needs
from docai.pipelines.evaluation.base import CaseScore, Item, Measure, Prediction, Ratio, Sample, Task

_WORDLESS = ("molecule", "score")
_INLINE = {"a", "abbr", "b", "big", "code", "em", "font", "i", "mark", "s", "small", "span", "strike"}
_INLINE |= {"strong", "sub", "sup", "tt", "u"}
_UNSPACED = re.compile(
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])"
)
_HYPHENS = "-\u2010\u2011"
_INNER_HYPHEN = re.compile(rf"(?<=[^\W\d_])[{_HYPHENS}](?=[^\W\d_])")
_END_HYPHEN = re.compile(rf"(?<=[^\W\d_])[{_HYPHENS}]\Z")
_SOFT_HYPHEN = re.compile(r"\u00ad\s*")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class TextResult:
    """Counts of one page, or of several: results can be added."""

    n_truth: int = 0
    n_predicted: int = 0
    n_matched: int = 0
    """Words that both have, each as often as the one that has it less often."""
    n_in_order: int = 0
    """Length of the longest common subsequence of words."""
    word_edits: int = 0
    n_truth_chars: int = 0
    char_edits: int = 0

    def __add__(self, other: TextResult) -> TextResult:
        return TextResult(
            self.n_truth + other.n_truth,
            self.n_predicted + other.n_predicted,
            self.n_matched + other.n_matched,
            self.n_in_order + other.n_in_order,
            self.word_edits + other.word_edits,
            self.n_truth_chars + other.n_truth_chars,
            self.char_edits + other.char_edits,
        )


def running_text(pred: Sequence[str], truth: Sequence[str]) -> TextResult:
    """Compare the words of one page, as :func:`page_words` gives them.

    Order is ``n_in_order / n_matched``: the largest part of the words found that can be kept so that what is
    left stands in the truth's order. It is 1 for the truth itself, also with words missing or added, 0.5
    for two columns of one length in the wrong order, and near 0 for shuffled words.

    Raises:
        MissingDependencyError: rapidfuzz is not installed.
    """
    with needs("docai[metrics]", "Comparing texts"):
        from rapidfuzz.distance import LCSseq, Levenshtein
    pred, truth = list(pred), list(truth)
    pred_chars, truth_chars = " ".join(pred), " ".join(truth)
    return TextResult(
        n_truth=len(truth),
        n_predicted=len(pred),
        n_matched=(Counter(pred) & Counter(truth)).total(),
        n_in_order=LCSseq.similarity(truth, pred),
        word_edits=Levenshtein.distance(truth, pred),
        n_truth_chars=len(truth_chars),
        char_edits=Levenshtein.distance(truth_chars, pred_chars),
    )


def page_words(items: Iterable[Item]) -> list[str]:
    """The words of some items as they are compared; see the module's page for the rules."""
    return [word for item in items for word in split_words(item_text(item))]


def split_words(text: str) -> list[str]:
    """One text as the words that are compared."""
    text = _SOFT_HYPHEN.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
    words: list[str] = []
    for word in _UNSPACED.sub(r" \1 ", text).split():
        if words and _END_HYPHEN.search(words[-1]) and word[0].islower():
            words[-1] = words[-1][:-1] + word
        else:
            words.append(word)
    return [_INNER_HYPHEN.sub("", word) for word in words]


def item_text(item: Item) -> str:
    """The text that an item shows on the page; empty for a molecule or a score."""
    if item.kind in _WORDLESS:
        return ""
    if item.text:
        return html_text(item.text) if item.kind == "table" else item.text
    if item.cells:
        return " ".join(cell.text for cell in sorted(item.cells, key=lambda cell: (cell.row, cell.col)))
    return " ".join(word.text for word in item.words if not word.ignore)


def html_text(html: str) -> str:
    """The text of HTML, with a space where an element that is not inline starts or ends."""
    if "<" not in html and "&" not in html:
        return html
    return "".join(_html_pieces(html))


def _html_pieces(html: str) -> Iterator[str]:
    from lxml import etree

    # Bytes, since lxml refuses a str that declares an encoding.
    data = html.replace("\0", "").encode("utf-8", errors="replace")
    root = etree.fromstring(data, etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True))
    if root is None:
        return
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag not in _INLINE:
            yield " "
        yield (element.text if event == "start" else element.tail) or ""


def _score(sample: Sample, prediction: Prediction | None) -> CaseScore:
    pages: defaultdict[int, tuple[list[Item], list[Item]]] = defaultdict(lambda: ([], []))
    for item in sample.truth:
        pages[item.page][1].append(item)
    for item in prediction.items if prediction else ():
        pages[item.page][0].append(item)
    results = (running_text(page_words(given), page_words(asked)) for given, asked in pages.values())
    total = sum(results, TextResult())
    ratios = {
        "word-f1": Ratio(2 * total.n_matched, total.n_truth + total.n_predicted),
        "word-recall": Ratio(total.n_matched, total.n_truth),
        "word-precision": Ratio(total.n_matched, total.n_predicted),
        "order": Ratio(total.n_in_order, total.n_matched),
        "wer": Ratio(total.word_edits, total.n_truth),
        "cer": Ratio(total.char_edits, total.n_truth_chars),
    }
    return CaseScore(sample.id, ratios, tuple(_notes(prediction, total)))


def _notes(prediction: Prediction | None, total: TextResult) -> Iterator[str]:
    if prediction is None:
        yield "no prediction"
    elif prediction.error is not None:
        yield "the reader failed"
    if not total.n_truth:
        yield "the truth has no words: recall and error rates are not defined"
    if not total.n_predicted:
        yield "no word is given: precision is not defined"
    if not total.n_matched:
        yield "no word is right: order is not defined"


_PROTOCOL = "docai, words as multisets of each page"

WORDS = Task(
    name="words",
    measures=(
        Measure("word-f1", "Word F1", _PROTOCOL, percent=True),
        Measure("word-recall", "Word recall", _PROTOCOL, percent=True),
        Measure("word-precision", "Word precision", _PROTOCOL, percent=True),
        Measure(
            "order", "Reading order", "docai, longest common subsequence of the words found", percent=True
        ),
        Measure("wer", "WER", "docai, word edits per true word", percent=True, higher_is_better=False),
        Measure(
            "cer", "CER", "docai, character edits per true character", percent=True, higher_is_better=False
        ),
    ),
    score=_score,
    headline="word-f1",
)
