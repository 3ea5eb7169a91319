"""GraphQL: mirror types, inputs, payloads and roots."""
