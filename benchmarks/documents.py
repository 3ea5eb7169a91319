"""The GraphQL that the clients send."""

PING = "{ ping }"

START = "mutation { startSession { token } }"

OPEN = """
mutation Open($pk: ID!) {
  payload: openOrderDraft(pk: $pk, resume: false) { draft { id } errors { code message } }
}
"""

EDIT = """
mutation Edit($draft: ID!, $key: ID!, $note: String!) {
  payload: editOrderDraft(
    draft: $draft, changes: [{ lines: { update: { key: $key, set: { note: $note } } } }]
  ) { draft { version } errors { code } event { version } }
}
"""
