"""What creators agreed to have inferred of them: written down, asked for, and taken back with all that it led to.

The account whose owner agreed is what counts, not the creator that igtool makes of it: see the view
``consent_standing``. Who takes a consent back is obeyed at once.
"""
