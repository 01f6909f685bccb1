"""Conventions: the ways of other frameworks and books, tried on layers, losses and steps that differ.

``layers`` and ``losses`` hold the tables, ``explain`` the search through them; ``comparison`` is the judge's comparison
with that search, the one that ``bridge`` offers.
"""
