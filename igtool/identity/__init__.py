"""Which accounts are one person or brand: exact rules, then probabilities, then people.

``traits`` makes accounts comparable, ``pairs`` finds and compares candidates, ``clusters`` joins them, ``creators``
gives the groups their ids, ``decisions`` keeps what people said. Everything but the last is a function of accounts and
decisions: what changed is done again, together with what shares a key with it, and gives what a run over all would.
"""
