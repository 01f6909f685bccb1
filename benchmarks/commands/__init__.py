"""What each command of ``crosscheck`` does: one module a command, whose ``run`` takes the parsed options."""
