"""How threads wait, where docai owns the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def spin_count(first: str, **given: str) -> str:
    """GOMP_SPINCOUNT after `spin_less`, in a process of its own that does something first."""
    code = f"import os; {first}; from docai.environment import spin_less; spin_less()"
    code += "; print(os.environ.get('GOMP_SPINCOUNT'))"
    kept = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | given, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("first", "given", "expected"),
    [
        ("pass", {}, "1000"),
        ("pass", {"GOMP_SPINCOUNT": "7"}, "7"),
        ("pass", {"OMP_WAIT_POLICY": "active"}, "None"),
        ("import sys; sys.modules['torch'] = None", {}, "None"),
    ],
)
def test_threads_sleep_soon_unless_the_user_has_said_otherwise(
    first: str, given: dict[str, str], expected: str
) -> None:
    assert spin_count(first, **given) == expected


def test_the_command_line_says_so_before_torch_is_imported() -> None:
    code = (
        "import os, sys; from docai.cli import main; sys.argv = ['docai', '--version']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    )
    kept = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["False", "1000"]
