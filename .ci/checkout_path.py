"""Lets the checkout be imported beside its own folder.

    python .ci/checkout_path.py      # in the environment that docai is installed in

An editable installation finds ``docai`` by a finder that is asked last. A script beside a clone that is
called ``docai``, as git calls it, has that folder on its path, and Python takes it for an empty namespace
package. With the checkout at the end of the path the true package is found before.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = Path(sysconfig.get_path("purelib"), "docai-checkout.pth")

if __name__ == "__main__":
    FILE.write_text(f"{ROOT}\n", "utf-8")
