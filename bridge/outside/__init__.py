"""Code written elsewhere: layers and networks of other people, in the layouts and names they have.

``adapters``, ``calling``, ``functions``, ``layouts`` and ``warm_up`` bring them into the judge's form; ``layer_check``
judges one layer stage by stage (``layer_stages``, ``edge_cases``, ``layer_judge``), ``loss_check`` a loss,
``optimizer_check`` an optimizer; ``external_model`` makes a model of several layers, ``external_training`` trains it.
"""
