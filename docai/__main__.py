"""``python -m docai``, which launchers such as ``torchrun -m docai`` need."""

from docai.cli import main

main()
