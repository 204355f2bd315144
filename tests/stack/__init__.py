"""Station 1: what a stack file may say, and what is told when it says something else."""
