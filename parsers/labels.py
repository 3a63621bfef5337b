"""Labels that stand in brackets where SMILES expects an atom: abbreviations and R-groups.

Drawings write groups as text (``Ph``, ``Boc``, ``R1``); a model copies them as ``[Ph]``, ``[Boc]``,
``[R1]``. R-groups follow MolScribe's rule (``[R12]`` → ``[12*]``). The groups here are the common,
unambiguous ones; each is a SMILES whose first atom takes the bond to the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

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
