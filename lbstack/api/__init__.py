"""The wire: GraphQL and REST over one HTTP client, limited, and every answer judged. It knows no kind."""
