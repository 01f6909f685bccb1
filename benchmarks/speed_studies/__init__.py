"""How fast NumPy is beside TensorFlow: one module a study, on tasks timed in interleaved resident processes."""
