"""Documents broken on purpose."""

from __future__ import annotations

import copy
import os

EXAMPLES = int(os.environ.get("TRIVET_FUZZ_EXAMPLES", "10000" if os.environ.get("TRIVET_TEST_FULL") else "500"))
"""How many documents are broken by each test."""


def mutated(data, chance, odd):
    """The data with one to three places removed, replaced, doubled or renamed."""
    data = copy.deepcopy(data)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(data))
        if not places:
            return data
        parent, key = chance.choice(places)
        action = chance.randrange(4)
        if action == 0:
            del parent[key]
        elif action == 1:
            parent[key] = copy.deepcopy(chance.choice(odd))
        elif action == 2 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif isinstance(parent, dict):
            parent[key[:-1] + chance.choice("_es")] = parent.pop(key)
    return data


def _places(data):
    for key, value in list(data.items() if isinstance(data, dict) else enumerate(data)):
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)
