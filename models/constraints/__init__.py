"""Constrained decoding: grammars of what the heads write, and the mask that holds a model to them.

llguidance does the matching. It was measured beside xgrammar over the same grammars, with
``python benchmarks/constraints.py --samples 12`` (llguidance 1.9.1, xgrammar 0.2.8; milliseconds of one core
of 2026 for one token's mask, mean over synthetic targets at full difficulty; no target was refused):

=====================  =======  ========  =======  =======
vocabulary, library    table    molecule  score    text
=====================  =======  ========  =======  =======
1,706, llguidance      0.011    0.018     0.015    0.011
1,706, xgrammar        0.006    0.017     0.010    0.023
257,000, llguidance    0.024    0.36      0.94     0.93
257,000, xgrammar      0.048    2.3       -        not run
=====================  =======  ========  =======  =======

``-``: six scores were not done after 100 seconds. Reading 257,000 tokens takes llguidance 2.0 s and xgrammar
0.7 s, once for all heads; a grammar 0.003 to 0.02 s and 0.4 to 0.7 s. Both take the location tokens as single
ids; xgrammar also lets one stand where letters are asked for, knows no intersection of terminals, and wants
triton and another package beside torch, where llguidance is one wheel without dependencies.

It is off by default. It cannot make a model see better, and an answer that had to be well formed no longer
shows by its faults that the model was lost; the log-probabilities, which stay those of the model without the
grammar, still do. :mod:`docai.pipelines.retry` uses it where a free answer was invalid.
"""
