from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.errors import ServerError
from docai.models.client_answers import align


@pytest.mark.parametrize(
    ("text", "tokens", "pieces"),
    [
        ("CCO", ["C", "C", "O"], ["C", "C", "O"]),
        ("CCO", ["C", "C", "O", "<eos>"], ["C", "C", "O", ""]),
        ("CCO<eos>", ["C", "C", "O", "<eos>"], ["C", "C", "O", ""]),
        ("", ["<eos>"], [""]),
        # What a server trims is part of the answer.
        ("a\nb", [" a", "\n", "b", "\n"], [" a", "\n", "b", "\n"]),
        ("<loc0001> <loc0002>", ["<loc0001>", "<loc0002>"], ["<loc0001>", "<loc0002>"]),
        # Characters of two, three and four bytes; the last token of each has it.
        ("é!", ["\ufffd", "\ufffd", "!"], ["", "é", "!"]),
        ("a€", ["a", "<0xE2>", "<0x82>", "<0xAC>"], ["a", "", "", "€"]),
        ("a€", ["a", "\ufffd", "\ufffd", "\ufffd", "<eos>"], ["a", "", "", "€", ""]),
        ("𝄞𝄞.", ["\ufffd"] * 8 + ["."], [""] * 7 + ["𝄞𝄞", "."]),
        # A character that the model left incomplete is a replacement character in the text, too.
        ("a\ufffdb", ["a", "\ufffd", "b"], ["a", "\ufffd", "b"]),
    ],
)
def test_each_token_has_its_part_of_the_text(text: str, tokens: list[str], pieces: list[str]) -> None:
    assert align(text, tokens) == pieces


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("CCO", ["C", "O"]),
        ("CO", ["C", "C", "O"]),
        ("CN", ["C", "O"]),
        ("éx", ["\ufffd", "y"]),
        ("éx", ["é", "\ufffd", "y"]),
    ],
)
def test_tokens_of_another_text_are_an_error(text: str, tokens: list[str]) -> None:
    with pytest.raises(ServerError, match="spell another text"):
        align(text, tokens)


@given(st.lists(st.sampled_from(["C", "é", "𝄞", " ", "<loc0001>", "ab"]), max_size=12))
def test_what_a_server_spells_by_bytes_is_put_together(words: list[str]) -> None:
    """Characters beyond ASCII are written by their bytes, as where they are no words of the vocabulary."""
    tokens = [
        token for word in words for token in ([word] if word.isascii() else ["\ufffd"] * len(word.encode()))
    ]
    pieces = align("".join(words), tokens)
    assert "".join(pieces) == "".join(words)
    assert all(piece == token for piece, token in zip(pieces, tokens, strict=True) if token != "\ufffd")
