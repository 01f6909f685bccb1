"""Code written elsewhere: layers and networks of other people, in the layouts and names they have.

``adapters`` and ``layouts`` bring them into the judge's form, ``layer_check`` judges one layer, ``external_model``
makes a model of several.
"""
