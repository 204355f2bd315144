"""Station 1: YAML → Stack. Positions, variables, and every problem at once."""
