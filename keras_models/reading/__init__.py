"""From any Keras model of supported layers, whoever wrote it, to a ModelSpec and its weights."""
