"""Labels in brackets where SMILES expects an atom: abbreviations and R-groups, and their expansion to atoms.

Drawings write groups as text (``Ph``, ``Boc``, ``R1``); a model copies them as ``[Ph]``, ``[Boc]``, ``[R1]``.
RDKit would read ``[Ac]`` as actinium and reject ``[Ph]``. So each label is replaced by a dummy atom before
RDKit parses the SMILES; the atom map number of the dummy stands for the label's text. Afterwards the dummies
of known abbreviations are expanded to the atoms of the group. R-groups follow MolScribe's rule (``[R12]`` →
``[12*]``).

The groups at the end of this module are common and unambiguous. Each is a SMILES whose first atom takes the
bond to the rest of the molecule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from docai.contents import Label
from docai.parsers.base import IssueLog, Span, TrackedText

if TYPE_CHECKING:
    from rdkit.Chem import Atom as RDKitAtom
    from rdkit.Chem import Mol

BRACKET = re.compile(r"\[([^\[\]]*)\]")

_MAP_NUMBER = re.compile(r":(\d{1,9})\]")

_DUMMY_ATOM = re.compile(r"\[\d*\*:(\d+)\]")


class Origin(NamedTuple):
    """Where an atom comes from: its characters in the text, and the index of its label, if it has one."""

    span: Span | None = None
    label: int | None = None


@dataclass
class Labels:
    """The labels of one SMILES in order, and the atom map numbers that stand for their texts."""

    items: list[Label] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """Label text → atom map number: equal labels are the same atom to RDKit, different labels are not."""


_ELEMENT_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb "
    "Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf "
    "Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)

ELEMENTS = frozenset(_ELEMENT_SYMBOLS.split())

R_GROUP = re.compile(r"R[_^]?(\d{0,3})('*|’*)")

_ATOM_PATTERN = re.compile(
    r"(?:\d{1,3})?(?P<symbol>[A-Z][a-z]?|[bcnops]|se|as|te|si|\*|#\d{1,3})"
    r"(?:@(?:@|[A-Z]{2}\d{1,2})?)?(?:H\d?)?(?:\++\d*|-+\d*)?(?::\d+)?"
)

_LABEL_PATTERN = re.compile(r"[A-Za-z(][\w'’,()-]{0,23}", re.ASCII)


def is_atom(bracket: str) -> bool:
    """Whether the inside of a bracket is an atom by the OpenSMILES grammar."""
    match = _ATOM_PATTERN.fullmatch(bracket)
    if match is None:
        return False
    symbol = match["symbol"]
    return symbol in ELEMENTS or not symbol[0].isupper()


def is_label(bracket: str) -> bool:
    """Whether the inside of a bracket can be a group's name."""
    return _LABEL_PATTERN.fullmatch(bracket) is not None


def replace_labels(tracked: TrackedText, log: IssueLog) -> Labels:
    """Replace each label by a numbered dummy atom, in place. R-groups also get their number as isotope."""
    smiles = tracked.text
    label_at: dict[int, Label] = {}
    for match in BRACKET.finditer(smiles):
        before, after = smiles[: match.start()][-1:], smiles[match.end() :][:1]
        label = _read_label(match[1], before in ("", ".") and after in ("", "."), log)
        if label is not None:
            label_at[match.start()] = label
    labels = Labels(list(label_at.values()))
    first = 1 + max((int(number) for number in _MAP_NUMBER.findall(smiles)), default=0)
    texts = sorted({label.text for label in labels.items})
    labels.numbers = {text: first + index for index, text in enumerate(texts)}

    def dummy(match: re.Match[str]) -> str:
        label = label_at.get(match.start())
        if label is None:
            return match[0]
        r_group = R_GROUP.fullmatch(label.text) if label.kind == "r-group" else None
        isotope = str(int(r_group[1])) if r_group and r_group[1] else ""
        return f"[{isotope}*:{labels.numbers[label.text]}]"

    if label_at:
        tracked.replace(BRACKET, dummy)
    return labels


def _read_label(text: str, is_unbonded: bool, log: IssueLog) -> Label | None:
    """The label inside a bracket; None if it is an atom, or neither atom nor label.

    ``is_unbonded``: the bracket has no bonds, so that an element symbol is an element.
    """
    if is_atom(text) and (is_unbonded or text not in LIKELY_GROUPS):
        if text in DOUBTFUL_ELEMENTS and not is_unbonded:
            log.add("molecule-ambiguous-label", f"[{text}] may be a label; it was read as the element.")
        return None
    if R_GROUP.fullmatch(text):
        log.add("molecule-r-group", f"[{text}] was read as an R-group.")
        return Label(text=text, kind="r-group")
    if text in LIKELY_GROUPS:
        log.add(
            "molecule-ambiguous-label",
            f"[{text}] is an element symbol; it was read as the group of that name.",
        )
    if text in GROUPS:
        return Label(text=text, kind="abbreviation")
    if is_label(text):
        log.add("molecule-unknown-label", f"[{text}] is not a known group; it became the dummy atom *.")
        return Label(text=text, kind="unknown")
    return None


def labeled_smiles(mol: Mol, labels: Labels) -> str:
    """Canonical SMILES of the molecule before its labels are expanded, with the labels as written."""
    from rdkit import Chem

    smiles: str = Chem.MolToSmiles(mol)
    texts = {str(number): text for text, number in labels.numbers.items()}
    return _DUMMY_ATOM.sub(lambda match: f"[{texts[match[1]]}]" if match[1] in texts else match[0], smiles)


def label_indices(mol: Mol, labels: Labels) -> list[int | None]:
    """For each atom the index of the label that it stands for; None if it is not a label."""
    numbers = set(labels.numbers.values())
    count = 0
    indices: list[int | None] = []
    for atom in mol.GetAtoms():
        is_label_atom = not atom.GetAtomicNum() and atom.GetAtomMapNum() in numbers
        indices.append(count if is_label_atom else None)
        count += is_label_atom
    return indices


def expanded_size(mol: Mol, labels: Labels) -> int:
    """Upper bound of the number of atoms once the labels are expanded."""
    n_atoms = {text: _count_atoms(GROUPS[text]) for text in labels.numbers if text in GROUPS}
    size: int = mol.GetNumAtoms()
    return size + sum(n_atoms[label.text] - 1 for label in labels.items if label.text in n_atoms)


def _count_atoms(smiles: str) -> int:
    from rdkit import Chem

    size: int = Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms()
    return size


def expand_labels(
    mol: Mol, labels: Labels, origins: Sequence[Origin], log: IssueLog
) -> tuple[Mol | None, list[Origin]]:
    """Replace the dummy atom of each abbreviation by the atoms of the group.

    A dummy with other than one single bond is kept: it is unclear where the group would attach. Each atom of
    a group gets the origin of its label. ``labels`` is updated with which of them were expanded. Returns the
    molecule, None if RDKit cannot read it back, and the origins of its atoms.

    Raises:
        ValueError, RuntimeError: RDKit rejects the expanded molecule.
    """
    from rdkit import Chem

    expanded = Chem.RWMol(mol)
    origin_of = list(origins)
    for index, label_index in enumerate(label_indices(mol, labels)):
        if label_index is None:
            continue
        label = labels.items[label_index]
        atom = expanded.GetAtomWithIdx(index)
        atom.SetAtomMapNum(0)
        if label.kind != "abbreviation":
            continue
        bonds = [bond.GetBondType() for bond in atom.GetBonds()]
        if bonds != [Chem.BondType.SINGLE]:
            log.add(
                "molecule-unknown-label",
                f"[{label.text}] does not have exactly one single bond; it became the dummy atom *.",
            )
            continue
        log.add("molecule-abbreviation", f"[{label.text}] was expanded to atoms.")
        labels.items[label_index] = label.model_copy(update={"expanded": True})
        group = Chem.MolFromSmiles(GROUPS[label.text], sanitize=False)
        # Replacing the dummy in place keeps the order of bonds, and with it all stereo marks.
        expanded.ReplaceAtom(index, group.GetAtomWithIdx(0))
        places = [index, *(expanded.AddAtom(group_atom) for group_atom in list(group.GetAtoms())[1:])]
        origin_of += [origins[index]] * (len(places) - 1)
        for bond in group.GetBonds():
            expanded.AddBond(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()], bond.GetBondType())
    Chem.SanitizeMol(expanded)
    smiles = Chem.MolToSmiles(expanded)
    in_order = [origin_of[index] for index in smiles_atom_order(expanded)]
    final = Chem.MolFromSmiles(smiles)
    if final is None:
        return None, []
    return final, origins_of_kept_atoms(in_order, Chem.MolFromSmiles(smiles, sanitize=False), final)


def smiles_atom_order(mol: Mol) -> list[int]:
    """Indices of the atoms in the order of the SMILES that RDKit last wrote of this molecule."""
    return list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])


def origins_of_kept_atoms(origins: Sequence[Origin], written: Mol, kept: Mol) -> list[Origin]:
    """The origins of the atoms that RDKit keeps of a SMILES: it removes plain hydrogens.

    Args:
        origins: one for each atom of ``written``.
        written: the molecule with all atoms of the SMILES.
        kept: the same molecule as RDKit returns it.

    Returns:
        One origin for each atom of ``kept``; all of them empty if the atoms cannot be matched.
    """
    unknown = [Origin()] * kept.GetNumAtoms()
    if len(origins) != written.GetNumAtoms():
        return unknown
    matched: list[Origin] = []
    wanted = [_atom_identity(atom) for atom in kept.GetAtoms()]
    for atom, origin in zip(written.GetAtoms(), origins, strict=True):
        if len(matched) < len(wanted) and _atom_identity(atom) == wanted[len(matched)]:
            matched.append(origin)
        elif atom.GetAtomicNum() != 1:
            return unknown
    return matched if len(matched) == len(wanted) else unknown


def _atom_identity(atom: RDKitAtom) -> tuple[int, int, int]:
    return atom.GetAtomicNum(), atom.GetIsotope(), atom.GetAtomMapNum()


_COMMON_GROUPS = {
    "C": ("Me",),
    "CC": ("Et",),
    "CCC": ("Pr", "nPr", "n-Pr"),
    "C(C)C": ("iPr", "i-Pr"),
    "CCCC": ("Bu", "nBu", "n-Bu"),
    "CC(C)C": ("iBu", "i-Bu"),
    "C(C)CC": ("sBu", "s-Bu"),
    "C(C)(C)C": ("tBu", "t-Bu"),
    "C1CCCCC1": ("Cy",),
    "c1ccccc1": ("Ph",),
    "Cc1ccccc1": ("Bn",),
    "C(=O)c1ccccc1": ("Bz",),
    "C(C)=O": ("Ac",),
    "OC(C)=O": ("OAc", "AcO"),
    "OC": ("OMe", "MeO"),
    "OCC": ("OEt", "EtO"),
    "OCc1ccccc1": ("OBn", "BnO"),
    "SC": ("SMe", "MeS"),
    "N(C)C": ("NMe2", "Me2N"),
    "C=O": ("CHO", "OHC"),
    "C(=O)O": ("CO2H", "COOH", "HO2C", "HOOC"),
    "C(=O)OC": ("CO2Me", "COOMe", "MeO2C"),
    "C(=O)OCC": ("CO2Et", "COOEt", "EtO2C"),
    "C(=O)OC(C)(C)C": ("Boc",),
    "NC(=O)OC(C)(C)C": ("NHBoc", "BocHN"),
    "C(=O)OCc1ccccc1": ("Cbz",),
    "C(=O)OCC1c2ccccc2-c2ccccc12": ("Fmoc",),
    "C#N": ("CN", "NC"),
    "C(F)(F)F": ("CF3", "F3C"),
    "OC(F)(F)F": ("OCF3", "F3CO"),
    "[N+](=O)[O-]": ("NO2", "O2N"),
    "S(=O)(=O)O": ("SO3H", "HO3S"),
    "S(C)(=O)=O": ("Ms",),
    "OS(C)(=O)=O": ("OMs", "MsO"),
    "S(=O)(=O)c1ccc(C)cc1": ("Ts", "Tos"),
    "OS(=O)(=O)c1ccc(C)cc1": ("OTs", "TsO"),
    "S(=O)(=O)C(F)(F)F": ("Tf",),
    "OS(=O)(=O)C(F)(F)F": ("OTf", "TfO"),
    "[Si](C)(C)C": ("TMS",),
    "[Si](C)(C)C(C)(C)C": ("TBS", "TBDMS"),
    "[Si](c1ccccc1)(c1ccccc1)C(C)(C)C": ("TBDPS",),
    "[Si](C(C)C)(C(C)C)C(C)C": ("TIPS",),
    "Cc1ccc(OC)cc1": ("PMB",),
    "COC": ("MOM",),
}

_RARER_GROUPS = {
    "C": ("H3C",),
    "N": ("H2N",),
    "O": ("HO",),
    "S": ("HS",),
    "CCCCC": ("nPent", "n-Pent"),
    "CCCCCC": ("Hex", "nHex", "n-Hex"),
    "CCCCCCC": ("Hept", "nHept"),
    "CCCCCCCC": ("Oct", "nOct"),
    "CCCCCCCCC": ("nNon",),
    "CCCCCCCCCC": ("Dec", "nDec"),
    "C=C": ("vinyl", "Vinyl"),
    "CC=C": ("allyl", "Allyl"),
    "C12CC3CC(CC(C3)C1)C2": ("Ad",),
    "c1c(C)cc(C)cc1C": ("Mes",),
    "c1ccc(OC)cc1": ("PMP",),
    "C(c1ccccc1)(c1ccccc1)c1ccccc1": ("Tr", "Trt"),
    "C(F)F": ("CHF2", "F2HC"),
    "C(Cl)(Cl)Cl": ("CCl3", "Cl3C"),
    "C(Br)(Br)Br": ("CBr3", "Br3C"),
    "C(=O)Cl": ("COCl", "ClOC"),
    "C(=O)N": ("CONH2", "H2NOC"),
    "C(=O)C(C)(C)C": ("Piv",),
    "C(=O)C(F)(F)F": ("COCF3", "F3COC"),
    "C(=O)OC(C)(C)C": ("CO2tBu", "CO2t-Bu", "tBuO2C"),
    "C(=O)OC(C)C": ("CO2iPr", "iPrO2C"),
    "C(=O)OCc1ccccc1": ("CO2Bn", "BnO2C"),
    "C(=O)OCC(Cl)(Cl)Cl": ("Troc",),
    "C(=O)OCC=C": ("Alloc",),
    "OCC(C)C": ("OiBu", "iBuO"),
    "OC(C)C": ("OiPr", "Oi-Pr", "iPrO"),
    "OC(C)(C)C": ("OtBu", "Ot-Bu", "tBuO"),
    "Oc1ccccc1": ("OPh", "PhO"),
    "OC(F)F": ("OCHF2", "F2HCO"),
    "OC(=O)C(C)(C)C": ("OPiv", "PivO"),
    "OC(=O)c1ccccc1": ("OBz", "BzO"),
    "OCOC": ("OMOM", "MOMO"),
    "COCC[Si](C)(C)C": ("SEM",),
    "C1CCCCO1": ("THP",),
    "OC1CCCCO1": ("OTHP", "THPO"),
    "OCc1ccc(OC)cc1": ("OPMB", "PMBO"),
    "[Si](CC)(CC)CC": ("TES",),
    "O[Si](C)(C)C": ("OTMS", "TMSO"),
    "O[Si](CC)(CC)CC": ("OTES", "TESO"),
    "O[Si](C)(C)C(C)(C)C": ("OTBS", "TBSO"),
    "O[Si](c1ccccc1)(c1ccccc1)C(C)(C)C": ("OTBDPS", "TBDPSO"),
    "O[Si](C(C)C)(C(C)C)C(C)C": ("OTIPS", "TIPSO"),
    "Sc1ccccc1": ("SPh", "PhS"),
    "S(=O)(=O)N": ("SO2NH2", "H2NO2S"),
    "S(C)(=O)=O": ("SO2Me", "MeO2S"),
    "S(=O)(=O)c1ccccc1": ("SO2Ph", "PhO2S"),
    "NC": ("NHMe", "MeHN"),
    "N(CC)CC": ("NEt2", "Et2N"),
    "NC(C)=O": ("NHAc", "AcHN", "AcNH"),
    "NC(=O)OCc1ccccc1": ("NHCbz", "CbzHN"),
    "NC(=O)OCC1c2ccccc2-c2ccccc12": ("NHFmoc", "FmocHN"),
    "N=[N+]=[N-]": ("N3",),
    "N=O": ("NO", "ON"),
    "N=C=O": ("NCO", "OCN"),
    "N=C=S": ("NCS",),
    "SC#N": ("SCN",),
    "B(O)O": ("B(OH)2", "(HO)2B"),
    "B1OC(C)(C)C(C)(C)O1": ("Bpin", "pinB"),
    "P(c1ccccc1)c1ccccc1": ("PPh2", "Ph2P"),
}


def _by_label(groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {label: smiles for smiles, labels in groups.items() for label in labels}


ABBREVIATIONS: Mapping[str, str] = MappingProxyType(_by_label(_COMMON_GROUPS))
"""Label → SMILES of the group. The common ones, which docai also draws in synthetic samples."""

GROUPS: Mapping[str, str] = MappingProxyType(_by_label(_COMMON_GROUPS) | _by_label(_RARER_GROUPS))
"""Label → SMILES of the group. All that are expanded, :data:`ABBREVIATIONS` included."""

LIKELY_GROUPS = frozenset({"Ac", "Pr", "Ts", "Ar"})
"""Element symbols that are nearly always groups in a drawing, if bonded and without charge."""

DOUBTFUL_ELEMENTS = frozenset({"Y", "W", "U", "Ra", "Rb", "Th", "Am", "Np", "No", "Os", "Nd", "Yb", "Lu"})
"""Element symbols that may also be labels; they are read as elements, with a warning."""
