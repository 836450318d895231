"""The activities: each with its drawing function."""

import vocab
from scene import carrying, chores, pastimes

ACTS = chores.ACTS | pastimes.ACTS | carrying.ACTS

assert set(ACTS) == set(vocab.SEEN_ACTIVITIES), set(ACTS) ^ set(vocab.SEEN_ACTIVITIES)
