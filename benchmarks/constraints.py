"""The cost of constrained decoding with llguidance and with xgrammar.

    python benchmarks/constraints.py [--samples 20] [--pieces 257000]

Both use the same grammars (:mod:`docai.models.grammars`) over two vocabularies: nano's, and one of Gemma's
size, made of random pieces, bytes, HTML tags, and ``<loc>`` and ``<seg>`` as added tokens. Synthetic targets
at full difficulty are consumed token by token, as a model would write them. Printed for each library,
vocabulary and head: seconds to read the vocabulary and to compile the grammar, microseconds for the mask of
one token (mean, 99th percentile, maximum) and for consuming the token, the number of rejected targets, and
whether a location token is allowed where letters are required. Times are processor times of all threads
together, so that other load on the machine does not count; run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import random
import string
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from docai.models.checkpoints import find_checkpoint
from docai.models.constrained import Constraint, allowed_bits, location_terminal
from docai.models.grammars import GRAMMARS, INLINE_TAGS
from docai.models.heads import HEADS
from docai.pipelines.synthesis import samples


class Walker(Protocol):
    """One answer in one library."""

    def mask(self) -> None: ...

    def take(self, token: int) -> bool: ...

    def is_whole(self) -> bool: ...


class Library(NamedTuple):
    """Reads a vocabulary, then compiles a grammar, then starts answers."""

    name: str
    read: Callable[[PreTrainedTokenizerBase], Callable[[str], Callable[[], Walker]]]


class _LLGuidance:
    def __init__(self, constraint: Constraint, n_tokens: int) -> None:
        self._n_tokens = n_tokens
        self._matcher = constraint.matcher()

    def mask(self) -> None:
        allowed_bits([self._matcher], self._n_tokens)

    def take(self, token: int) -> bool:
        return bool(self._matcher.consume_token(token))

    def is_whole(self) -> bool:
        return bool(self._matcher.is_accepting())


def _llguidance(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], Callable[[], Walker]]:
    from docai.models.constrained import GrammarVocabulary

    vocabulary = GrammarVocabulary.of(tokenizer, [tokenizer.eos_token_id])

    def compiled(name: str) -> Callable[[], Walker]:
        constraint = Constraint(name, vocabulary)
        return lambda: _LLGuidance(constraint, len(tokenizer))

    return compiled


class _XGrammar:
    def __init__(self, compiled: object, size: int) -> None:
        import xgrammar

        self._matcher = xgrammar.GrammarMatcher(compiled)
        self._bits = xgrammar.allocate_token_bitmask(1, size)

    def mask(self) -> None:
        self._matcher.fill_next_token_bitmask(self._bits)

    def take(self, token: int) -> bool:
        return bool(self._matcher.accept_token(token))

    def is_whole(self) -> bool:
        return bool(self._matcher.is_completed())


def _xgrammar(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], Callable[[], Walker]]:
    import xgrammar

    size = len(tokenizer)
    info = xgrammar.TokenizerInfo.from_huggingface(
        tokenizer, vocab_size=size, stop_token_ids=[tokenizer.eos_token_id]
    )
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)

    def compiled(name: str) -> Callable[[], Walker]:
        lark = GRAMMARS[name](location_terminal(tokenizer))
        # xgrammar has no intersection of terminals, so words may spell location tokens.
        lark = lark.replace(" & ~/(?s:.*)<loc(?s:.*)/", "")
        grammar = compiler.compile_grammar(xgrammar.Grammar.from_lark(lark, tokenizer_info=info))
        return lambda: _XGrammar(grammar, size)

    return compiled


def gemma_sized(n_pieces: int) -> PreTrainedTokenizerFast:
    """A tokenizer with as many tokens as Gemma's and the same kinds of tokens; its pieces are random."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    draw = random.Random(0)
    control = ["<pad>", "<eos>", "<bos>", "<unk>"]
    pieces = dict.fromkeys([*control, *(f"<0x{byte:02X}>" for byte in range(256))])
    pieces.update(dict.fromkeys("\n" * n for n in range(1, 32)))
    pieces.update(dict.fromkeys("▁" * n for n in range(1, 32)))
    tags = ("table", "thead", "tbody", "tr", "td", "th", *INLINE_TAGS)
    pieces.update(dict.fromkeys(f"<{slash}{tag}>" for tag in tags for slash in ("", "/")))
    pieces.update(dict.fromkeys(chr(code) for code in range(33, 0x2FF) if chr(code).isprintable()))
    letters = string.ascii_lowercase * 6 + string.ascii_uppercase + "áéíöüßñçøабвгде中文字日本語、。"
    signs = string.punctuation + "\t"
    while len(pieces) < n_pieces - 1024 - 128:
        word = "".join(draw.choices(letters, k=draw.randint(2, 9)))
        kind = draw.random()
        if kind < 0.5:
            word = "▁" + word
        elif kind < 0.6:
            word = "".join(draw.choices(signs, k=draw.randint(1, 2))) + word[:4]
        pieces[word] = None
    scored = [(piece, -float(len(control) + index) / n_pieces - 1) for index, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=3, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in control])
    markers = [*(f"<loc{n:04d}>" for n in range(1024)), *(f"<seg{n:03d}>" for n in range(128))]
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in markers])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    )


def measure(
    library: Library, label: str, tokenizer: PreTrainedTokenizerBase, targets: dict[str, Sequence[str]]
) -> None:
    begun = time.process_time()
    compile_grammar = library.read(tokenizer)
    read = time.process_time() - begun
    for head, texts in targets.items():
        name = HEADS[head].grammar
        assert name is not None
        begun = time.process_time()
        start = compile_grammar(name)
        start().mask()
        built = time.process_time() - begun
        masks: list[float] = []
        taken: list[float] = []
        n_refused = 0
        for text in texts:
            walker = start()
            is_in = True
            for token in tokenizer(text, add_special_tokens=False).input_ids:
                before = time.process_time()
                walker.mask()
                between = time.process_time()
                is_in = walker.take(token)
                taken.append(time.process_time() - between)
                masks.append(between - before)
                if not is_in:
                    break
            n_refused += not (is_in and walker.is_whole())
        us = np.array(masks) * 1e6
        print(
            f"{library.name:11} {label:6} {head:9} vocabulary {read:5.2f} s  grammar {built:6.3f} s  "
            f"mask {us.mean():6.0f} us, 99 % {np.percentile(us, 99):6.0f}, max {us.max():7.0f}  "
            f"take {np.mean(taken) * 1e6:4.0f} us  rejected {n_refused} of {len(texts)}"
            f"{_locs_as_letters(head, start, tokenizer)}",
            flush=True,
        )


def _locs_as_letters(head: str, start: Callable[[], Walker], tokenizer: PreTrainedTokenizerBase) -> str:
    if head != "text":
        return ""
    walker = start()
    loc = tokenizer.convert_tokens_to_ids("<loc0001>")
    for token in [loc] * 4 + tokenizer(" a", add_special_tokens=False).input_ids:
        walker.take(token)
    return "  a location token may be a letter" if walker.take(loc) else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=20, help="targets for each head")
    parser.add_argument("--pieces", type=int, default=257_000, help="tokens of the larger vocabulary")
    arguments = parser.parse_args()
    targets = {
        head: [sample.target for sample in islice(samples(head, 11), arguments.samples)] for head in HEADS
    }
    nano = AutoTokenizer.from_pretrained(find_checkpoint("nano").folder)
    for label, tokenizer in (("nano", nano), (f"{arguments.pieces}", gemma_sized(arguments.pieces))):
        for library in (Library("llguidance", _llguidance), Library("xgrammar", _xgrammar)):
            measure(library, label, tokenizer, targets)


if __name__ == "__main__":
    main()
