"""Fuzzing: random networks and random Keras models, compared; failing ones made small, saved and compared again.

``random_networks`` and ``random_cases`` draw, ``fuzz`` compares, ``shrink`` makes small, ``saved_cases`` keeps;
``task_runner`` runs the parts of a long campaign on processes or a cluster.
"""
