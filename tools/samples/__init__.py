"""Realistic scans of Vietnamese administrative papers, with their exact text.

`layout` places words on a page in millimetres, `documents` writes the papers of Decree
30/2020 (NĐ 30/2020/NĐ-CP, Appendix I), `marks` adds seals, signatures and handwriting,
`degrade` turns the clean print into a scan under one of nine conditions, `groundtruth` keeps
what a reader should have read. Everything follows from a seed; all people, places and numbers
are plainly fictitious.

    python -m tools.samples --out DIR --seed 7 --count 20 --dpi 300
"""
