"""Text of fonts that give other letters than they show, told from what only looks strange."""

from __future__ import annotations

import random
import string

import pytest

from docai.parsers.letters import is_enciphered, language_score

TEXTS = {
    "English": "The company sells lamps to harbours and lights to ships. It was founded in the year 1904"
    " and has 212 shops in eleven countries. Each of the shops keeps a store of oil for those"
    " who come by night.",
    "German": "Die Gesellschaft verkauft Lampen an Häfen und Lichter an Schiffe. Sie wurde vor vielen "
    "Jahren gegründet und hat heute über zweihundert Geschäfte in elf Ländern, größtenteils "
    "an der Küste.",
    "French": "La société vend des lampes aux ports et des feux aux navires. Elle a été fondée il y a "
    "plus d'un siècle et possède aujourd'hui deux cents magasins dans onze pays, surtout près"
    " de la côte.",
    "Polish": "Spółka sprzedaje lampy portom i światła statkom. Została założona wiele lat temu i ma "
    "dziś ponad dwieście sklepów w jedenastu krajach, przeważnie na wybrzeżu, gdzie "
    "przypływają żeglarze.",
    "Finnish": "Yhtiö myy lamppuja satamiin ja valoja laivoihin. Se perustettiin monta vuotta sitten, ja"
    " sillä on nykyään yli kaksisataa myymälää yhdessätoista maassa, enimmäkseen rannikolla.",
    "Turkish": "Şirket limanlara lamba ve gemilere ışık satıyor. Uzun yıllar önce kuruldu ve bugün on "
    "bir ülkede iki yüzden fazla mağazası var, çoğunlukla denizcilerin geldiği kıyılarda "
    "bulunuyor.",
    "Welsh": "Mae'r cwmni yn gwerthu lampau i borthladdoedd a goleuadau i longau. Fe'i sefydlwyd "
    "flynyddoedd lawer yn ôl ac mae ganddo bellach dros ddau gant o siopau mewn un ar ddeg o "
    "wledydd.",
}

CODES = {
    "numbers": "1,204.50 24.91 10.93 7.23 4.11 2010 2011 12% 0.38 " * 10,
    "tickers": "AAPL MSFT GOOG TSLA XOM CVX PFE JNJ KO PEP BRK HPQ IBM INTC CSCO QCOM TXN WMT TGT CRM " * 3,
    "bases": "ACGTTGCA GGCATTAC CCGATAGC TTAGGACC GATTACAG CCTGGATC TAGCTAGG " * 10,
    "proteins": "MKVLAAGIVG LLLAQWEHTK PSDVNRKFYC WQHHTNRSGD EEKLMKPVVA AGYFCDNTRS " * 8,
    "genes": "BRCA1 TP53 EGFR KRAS PTEN MYC CDKN2A RB1 APC VHL NF1 SMAD4 ERBB2 PIK3CA BRAF " * 4,
    "formulas": "x=y+z f(x)=ax^2+bx+c E=mc^2 a_n=b_k g(t)=h(s) p_i q_j xyz abc ijk uvw rst " * 8,
    "keys": "aGVsbG8gd29ybGQ Zm9vYmFyYmF6 cXV4cXV1eA dGhlcXVpY2s YnJvd25mb3g c2hhMjU2c3Vt " * 6,
    "web": "https://www.faa.gov/aircraft/draft_docs/fsb/ 9-ANM-Seattle-ACO@faa.gov http://knkt.dephub.go.id "
    * 6,
    "labels": "NLO NLL NNLL nNLO LHC TeV GeV pb fb Hz kHz MHz dB px " * 12,
    "chess": "Nf3 d5 g3 c5 Bg2 Nc6 d4 e6 O-O cxd4 Nxd4 Nge7 c4 Nxd4 Qxd4 Nc6 Qd1 d4 e3 Bc5 exd4 Bxd4 " * 3,
    "Greek": "Η εταιρεία πουλά λάμπες σε λιμάνια και φώτα σε πλοία " * 6,
    "Chinese": "公司 向 港口 出售 灯具 向 船舶 出售 灯 " * 10,
}


def shifted(text: str, by: int) -> list[str]:
    table = {code: 33 + (code - 33 + by) % 94 for code in range(33, 127)}
    return [word.translate(table) for word in text.split()]


def substituted(text: str, seed: int) -> list[str]:
    letters = list(string.ascii_lowercase)
    random.Random(seed).shuffle(letters)
    other = "".join(letters)
    return text.translate(
        str.maketrans(string.ascii_lowercase + string.ascii_uppercase, other + other.upper())
    ).split()


@pytest.mark.parametrize("language", TEXTS)
def test_languages_are_believed_and_their_ciphers_are_not(language: str) -> None:
    text = TEXTS[language]
    assert not is_enciphered(text.split())
    assert not is_enciphered(text.upper().split())
    assert is_enciphered(substituted(text, 1))
    assert is_enciphered(substituted(text, 2))


# Welsh is too far from the mean of languages to be told by a shift of so few words.
@pytest.mark.parametrize("language", sorted(TEXTS.keys() - {"Welsh"}))
@pytest.mark.parametrize("shift", [-29, 5])
def test_shifted_text_is_not_believed(language: str, shift: int) -> None:
    assert is_enciphered(shifted(TEXTS[language].encode("ascii", "ignore").decode(), shift))


@pytest.mark.parametrize("kind", CODES)
def test_what_is_no_language_is_not_doubted(kind: str) -> None:
    assert not is_enciphered(CODES[kind].split())


def test_one_line_that_is_shifted_is_enough_and_one_word_is_not() -> None:
    assert is_enciphered(shifted("The company sells lamps to harbours and lights to ships", -29))
    assert not is_enciphered(shifted("Lamps", -29))
    assert not is_enciphered(["Xqz", "vrk"])


def test_scores_of_languages_are_above_those_of_their_ciphers() -> None:
    for text in TEXTS.values():
        assert language_score(text.split()) > -3.1
        assert language_score(substituted(text, 3)) < -3.3
    assert language_score(["12", "%"]) == 0.0
