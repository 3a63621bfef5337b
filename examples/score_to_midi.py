"""Turn a score into notes, MIDI and MusicXML.

    python examples/score_to_midi.py [FOLDER]

Takes a Humdrum ``**kern`` text as the score head writes it; a score of a document
(``document.scores[0]``) has the same methods. Prints its notes with onset and duration in quarter notes,
writes ``score.mid`` and ``score.musicxml`` into the folder (by default ``out``), and prints how many notes
each file holds.
"""

import sys
from pathlib import Path

import docai

KERN = "**kern\n*clefG2\n*k[f#]\n*M3/4\n=1\n4g\n8b\n8dd\n4g\n=2\n2.a\n==\n*-\n"


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    folder.mkdir(parents=True, exist_ok=True)
    score = docai.parse("score", KERN)
    assert isinstance(score, docai.Score)
    for event in score.events:
        print(f"measure {event.measure}: {event.pitch or 'rest'} at {event.onset} for {event.duration}")
    for name, data in (("score.mid", score.to_midi()), ("score.musicxml", score.to_musicxml())):
        (folder / name).write_bytes(data)
        lost = "; ".join(issue.message for issue in data.issues) or "nothing is lost"
        print(f"{name}: {data.n_written} of {data.n_notes} notes, {lost}")


if __name__ == "__main__":
    main()
