"""Ontologies: tools, classifications and options, nested to any depth, edited piece by piece."""
