"""Labels that stand in brackets where SMILES expects an atom: abbreviations and R-groups.

Drawings write groups as text (``Ph``, ``Boc``, ``R1``); a model copies them as ``[Ph]``, ``[Boc]``,
``[R1]``. R-groups follow MolScribe's rule (``[R12]`` → ``[12*]``). The groups here are the common,
unambiguous ones; each is a SMILES whose first atom takes the bond to the rest.
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

_MAP = re.compile(r":(\d{1,9})\]")

_DUMMY = re.compile(r"\[\d*\*:(\d+)\]")


class Origin(NamedTuple):
    """Where an atom comes from: its characters in the text, and the label that it was or is a part of."""

    span: Span | None = None
    label: int | None = None


@dataclass
class Labels:
    """The labels of one SMILES, in its order, and the atom map numbers that stand for them."""

    found: list[Label] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    """One number for one text: so equal labels are equal to RDKit, and different ones are not."""


def replace_labels(tracked: TrackedText, log: IssueLog) -> Labels:
    """Put a numbered dummy atom for each label, in place. R-groups also get their number as isotope."""
    smiles = tracked.text
    kinds: dict[int, Label] = {}
    for match in BRACKET.finditer(smiles):
        before, after = smiles[: match.start()][-1:], smiles[match.end() :][:1]
        label = _label(match[1], before in ("", ".") and after in ("", "."), log)
        if label is not None:
            kinds[match.start()] = label
    labels = Labels(list(kinds.values()))
    first = 1 + max((int(number) for number in _MAP.findall(smiles)), default=0)
    texts = sorted({label.text for label in labels.found})
    labels.numbers = {text: first + index for index, text in enumerate(texts)}

    def dummy(match: re.Match[str]) -> str:
        label = kinds.get(match.start())
        if label is None:
            return match[0]
        r_group = R_GROUP.fullmatch(label.text) if label.kind == "r-group" else None
        isotope = str(int(r_group[1])) if r_group and r_group[1] else ""
        return f"[{isotope}*:{labels.numbers[label.text]}]"

    if kinds:
        tracked.replace(BRACKET, dummy)
    return labels


def _label(text: str, alone: bool, log: IssueLog) -> Label | None:
    """What the inside of a bracket is where it is no atom. ``alone``: bonded to nothing."""
    if is_atom(text) and (alone or text not in LIKELY_GROUPS):
        if text in DOUBTFUL_ELEMENTS and not alone:
            log.add("molecule-ambiguous-label", f"[{text}] was read as the element.")
        return None
    if R_GROUP.fullmatch(text):
        log.add("molecule-r-group", f"[{text}] was read as an R-group.")
        return Label(text=text, kind="r-group")
    if text in LIKELY_GROUPS:
        log.add("molecule-ambiguous-label", f"[{text}] was read as a group, not the element.")
    if text in GROUPS:
        return Label(text=text, kind="abbreviation")
    if is_label(text):
        log.add("molecule-unknown-label", f"[{text}] names no known group and became *.")
        return Label(text=text, kind="unknown")
    return None


def labelled_smiles(mol: Mol, labels: Labels) -> str:
    """Canonical SMILES of the molecule before its labels are written out, with them as they were written."""
    from rdkit import Chem

    smiles: str = Chem.MolToSmiles(mol)
    texts = {str(number): text for text, number in labels.numbers.items()}
    return _DUMMY.sub(lambda match: f"[{texts[match[1]]}]" if match[1] in texts else match[0], smiles)


def owners(mol: Mol, labels: Labels) -> list[int | None]:
    """For each atom the index of the label that it stands for; SMILES has both in the same order."""
    numbers = set(labels.numbers.values())
    count = 0
    owned: list[int | None] = []
    for atom in mol.GetAtoms():
        is_label_atom = not atom.GetAtomicNum() and atom.GetAtomMapNum() in numbers
        owned.append(count if is_label_atom else None)
        count += is_label_atom
    return owned


def expanded_size(mol: Mol, labels: Labels) -> int:
    """Atoms that the molecule has once its labels are written out, at most."""
    n_atoms = {text: _n_atoms(GROUPS[text]) for text in labels.numbers if text in GROUPS}
    size: int = mol.GetNumAtoms()
    return size + sum(n_atoms[label.text] - 1 for label in labels.found if label.text in n_atoms)


def _n_atoms(smiles: str) -> int:
    from rdkit import Chem

    size: int = Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms()
    return size


def write_out(
    mol: Mol, labels: Labels, origins: Sequence[Origin], log: IssueLog
) -> tuple[Mol | None, list[Origin]]:
    """Put the atoms of each abbreviation for its dummy atom. One with two bonds has no place for them.

    Each atom of a group comes from where its label was. ``labels`` learns which were written out.

    Raises:
        ValueError, RuntimeError: RDKit refuses what comes out.
    """
    from rdkit import Chem

    whole = Chem.RWMol(mol)
    comes_from = list(origins)
    for index, owner in enumerate(owners(mol, labels)):
        if owner is None:
            continue
        label = labels.found[owner]
        atom = whole.GetAtomWithIdx(index)
        atom.SetAtomMapNum(0)
        if label.kind != "abbreviation":
            continue
        bonds = [bond.GetBondType() for bond in atom.GetBonds()]
        if bonds != [Chem.BondType.SINGLE]:
            log.add("molecule-unknown-label", f"[{label.text}] has not one single bond and became *.")
            continue
        log.add("molecule-abbreviation", f"[{label.text}] was written out.")
        labels.found[owner] = label.model_copy(update={"expanded": True})
        group = Chem.MolFromSmiles(GROUPS[label.text], sanitize=False)
        # The dummy becomes the group's first atom in place, which leaves all stereo marks as they are.
        whole.ReplaceAtom(index, group.GetAtomWithIdx(0))
        places = [index, *(whole.AddAtom(other) for other in list(group.GetAtoms())[1:])]
        comes_from += [origins[index]] * (len(places) - 1)
        for bond in group.GetBonds():
            whole.AddBond(places[bond.GetBeginAtomIdx()], places[bond.GetEndAtomIdx()], bond.GetBondType())
    Chem.SanitizeMol(whole)
    smiles = Chem.MolToSmiles(whole)
    in_order = [comes_from[index] for index in output_order(whole)]
    final = Chem.MolFromSmiles(smiles)
    if final is None:
        return None, []
    return final, of_kept(in_order, Chem.MolFromSmiles(smiles, sanitize=False), final)


def output_order(mol: Mol) -> list[int]:
    """The atoms of a molecule in the order in which they stand in the SMILES that was just made of it."""
    return list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])


def of_kept(origins: Sequence[Origin], written: Mol, kept: Mol) -> list[Origin]:
    """The origins of the atoms that are left of those of a SMILES: RDKit takes out plain hydrogens.

    All unknown where the atoms cannot be told apart.
    """
    lost = [Origin()] * kept.GetNumAtoms()
    if len(origins) != written.GetNumAtoms():
        return lost
    found: list[Origin] = []
    wanted = [_identity(atom) for atom in kept.GetAtoms()]
    for atom, origin in zip(written.GetAtoms(), origins, strict=True):
        if len(found) < len(wanted) and _identity(atom) == wanted[len(found)]:
            found.append(origin)
        elif atom.GetAtomicNum() != 1:
            return lost
    return found if len(found) == len(wanted) else lost


def _identity(atom: RDKitAtom) -> tuple[int, int, int]:
    return atom.GetAtomicNum(), atom.GetIsotope(), atom.GetAtomMapNum()


_GROUPS = {
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

_RARER = {
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


ABBREVIATIONS: Mapping[str, str] = MappingProxyType(_by_label(_GROUPS))
"""Label → SMILES of the group, whose first atom takes the bond to the rest: those that docai draws."""

GROUPS: Mapping[str, str] = MappingProxyType(_by_label(_GROUPS) | _by_label(_RARER))
"""All that are written out where a model writes them, :data:`ABBREVIATIONS` included."""

LIKELY_GROUPS = frozenset({"Ac", "Pr", "Ts", "Ar"})
"""Element symbols that in a drawing, bonded and without charge, are nearly always groups."""

DOUBTFUL_ELEMENTS = frozenset({"Y", "W", "U", "Ra", "Rb", "Th", "Am", "Np", "No", "Os", "Nd", "Yb", "Lu"})
"""Element symbols that may as well be labels; they are read as elements, and that is said."""

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb "
    "Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf "
    "Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)

ELEMENTS = frozenset(_SYMBOLS.split())

R_GROUP = re.compile(r"R[_^]?(\d{0,3})('*|’*)")

_ATOM = re.compile(
    r"(?:\d{1,3})?(?P<symbol>[A-Z][a-z]?|[bcnops]|se|as|te|si|\*|#\d{1,3})"
    r"(?:@(?:@|[A-Z]{2}\d{1,2})?)?(?:H\d?)?(?:\++\d*|-+\d*)?(?::\d+)?"
)

_LABEL = re.compile(r"[A-Za-z(][\w'’,()-]{0,23}", re.ASCII)


def is_atom(bracket: str) -> bool:
    """Whether the inside of a bracket is an atom by the OpenSMILES grammar."""
    match = _ATOM.fullmatch(bracket)
    if match is None:
        return False
    symbol = match["symbol"]
    return symbol in ELEMENTS or not symbol[0].isupper()


def is_label(bracket: str) -> bool:
    """Whether the inside of a bracket can be a group's name."""
    return _LABEL.fullmatch(bracket) is not None
