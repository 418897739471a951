"""From what is seen in pictures to tags of creators: scores, thresholds, conflicts, what models and people say."""
