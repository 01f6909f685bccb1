"""Conventions and slips: the ways of other frameworks and books, and frequent mistakes, tried on what differs.

``layers``, ``losses`` and ``optimizers`` hold the conventions; ``*_slips`` and ``variables_and_inputs`` the mistakes,
and constants that are solved for; ``relations`` says how one tensor relates to the right one. ``layer_cause``,
``loss_cause`` and ``optimizer_cause`` search through them, ``explain`` for a layer of a network; ``comparison`` is the
judge's comparison with that search, the one that ``bridge`` offers.
"""
