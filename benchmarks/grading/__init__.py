"""Grading: submissions of from-scratch code, judged case by case against an assignment."""
