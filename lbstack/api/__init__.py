"""The wire: GraphQL and REST over one HTTP client, errors classified. It knows no kind."""
