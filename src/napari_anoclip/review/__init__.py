"""From a map to a judgement: regions, verdicts, sessions, metrics and what they say about prompts. Knows no GUI."""
