"""Lock-step training: two models take the same steps, and all they carry is compared after each of them.

``controls`` measures how far rounding alone takes a training; ``training`` compares with that.
"""
