"""What is remembered between runs: entries with their invariants, a journal, a file."""
