"""The service: settings and addresses, and the servers it can bring along.

The engine, `gql_cluster`, knows nothing of this package.
"""
