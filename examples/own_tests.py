"""Test code of your own that is built on docai, without weights and without waiting for a model.

    python examples/own_tests.py

``docai.ScriptedEngine`` answers with texts that you give it. Prints what a function of yours makes of a good
answer, and of one that is cut off. Each engine keeps the requests it got in ``requests``.
"""

from pathlib import Path

import docai

SAMPLE = Path(__file__).parents[1] / "samples" / "report.pdf"


def formulas(pipeline: docai.Pipeline) -> list[str]:
    """The code under test: the formula of each molecule on page 2, ``?`` where there is none."""
    return [molecule.formula or "?" for molecule in pipeline.process(SAMPLE, pages=[2]).molecules]


def main() -> None:
    engine = docai.ScriptedEngine({"molecule": "CC(=O)Oc1ccccc1C(=O)O"})
    alone = {"heads": ["molecule"], "drawings": "ignore", "witnesses": "off", "readback": "off"}
    good = formulas(docai.Pipeline(engine=engine, **alone))
    assert good == ["C9H8O4", "C9H8O4"]
    print("a good answer:", good, "after", len(engine.requests), "requests")

    engine = docai.ScriptedEngine({"molecule": "CC(=O)Oc1cc"}, finish_reason="length")
    bad = formulas(docai.Pipeline(engine=engine, **alone))
    assert bad == ["?", "?"]
    print("cut off:      ", bad)


if __name__ == "__main__":
    main()
