"""Datasets, speed, accuracy, reports and the command line: everything that uses both backends."""
