"""Conversion: trained Keras models for NumPy alone, and back, each with a certificate of equality.

Also other libraries' weights (``channels_first``) and both backends as scikit-learn classifiers (``estimators``).
"""

from bridge.conversion.keras_models_and_files import Certificate, certify, convert, draw, to_keras, to_numpy

__all__ = ["Certificate", "certify", "convert", "draw", "to_keras", "to_numpy"]
