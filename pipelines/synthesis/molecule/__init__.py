"""Structure drawings for the `molecule` head.

``generator`` picks a molecule and draws it. ``parts`` assembles new molecules, ``details`` adds charges,
isotopes, salts and the like, ``abbreviations`` writes groups as text, ``rendering`` draws by RDKit or Indigo.
"""

from docai.pipelines.synthesis.molecule.generator import compose, draw, generate

__all__ = ["compose", "draw", "generate"]
