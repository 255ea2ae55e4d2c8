"""Blending: keys, links, references, resolution, provenance and the graph of entities.

Reads top to bottom as `join` does it: `match` says what was asked, `stack` numbers the records of all sources,
`associate` finds what says that two records are one thing or that one refers to another, `links` and `references`
compute it, `resolve` settles what linked sources say, `golden` relates the tables, `flatten` makes one of them,
`blend` is what comes out.
"""
