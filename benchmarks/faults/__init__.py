"""The fault campaign: work is done in a child process, broken in one way, done again, and compared row for row.

``scenes`` says what is broken, ``kinds`` how. ``child`` is the process that is broken; ``steps`` finds where it can
die, from outside. ``judge`` compares and counts, ``campaign`` goes through scenes and kinds, ``table`` writes the
result. `benchmarks.torture` is the command.
"""
