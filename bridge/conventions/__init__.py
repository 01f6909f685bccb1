"""Known conventions that differ from Keras', and the search for the one that explains a difference."""
