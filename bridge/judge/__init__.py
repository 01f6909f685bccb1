"""The judge: two models, one batch, every tensor held against a derived rounding bound.

``bounds`` says how far rounding may take each value, ``truth`` computes it in float64, ``tensor`` judges one tensor,
``comparison`` all of two models, ``local`` each layer alone, and ``report`` says what was found.
"""
