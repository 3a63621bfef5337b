"""Structure drawings for the `molecule` head.

``generator`` picks a molecule and draws it; ``parts`` puts new ones together, ``details`` adds charges,
isotopes, salts and the like, ``abbreviations`` writes groups as text; ``looks`` draws by RDKit, ``indigo``
by Indigo.
"""

from docai.pipelines.synthesis.molecule.generator import compose, draw, generate

__all__ = ["compose", "draw", "generate"]
