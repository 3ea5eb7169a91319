"""Each rule of GraphQL over SSE, in its mode of distinct connections."""
