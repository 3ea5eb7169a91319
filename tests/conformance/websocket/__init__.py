"""Each rule of graphql-transport-ws, and what is kept of graphql-ws."""
