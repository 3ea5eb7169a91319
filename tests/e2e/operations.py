"""The GraphQL that the tests send: one fragment for a band, saved or drafted alike."""

CLUSTER = """
fragment Cluster on Band {
  pk key name status formed origin website biography
  genres { pk name }
  members { pk key name instrument joined left position }
  albums { pk key title released label kind songs { pk key title duration position } }
}
"""

CHANGES = """
fragment Changes on DraftEdited {
  cause
  changes {
    kind key typename relation parentKey
    fields { name before after }
    node {
      __typename
      ... on Band { key name }
      ... on BandMember { key name position }
      ... on Album { key title }
      ... on Song { key title position }
    }
  }
}
"""

KEYS = "keys { key pk id }"
ERRORS = "errors { code message key field path change }"

EDITORS = "editors { sessionId key field since isMe }"

_EVENT = f"""
  __typename draftId version at sessionId changeId
  ...Changes
  ... on DraftCommitted {{ {KEYS} }}
"""

OPEN = f"""
mutation Open($pk: ID, $copyOf: ID, $data: BandInput, $resume: Boolean) {{
  payload: openBandDraft(pk: $pk, copyOf: $copyOf, data: $data, resume: $resume) {{
    draft {{ id version isNew isDirty }} {ERRORS}
  }}
}}
"""

EDIT = f"""
mutation Edit($draft: ID!, $changes: [BandChange!]!, $expected: Int, $id: ID) {{
  payload: editBandDraft(
    draft: $draft, changes: $changes, expectedVersion: $expected, changeId: $id
  ) {{
    draft {{ version state isDirty }} event {{ {_EVENT} }} {ERRORS}
  }}
}}
{CHANGES}
"""

COMMIT = f"""
mutation Commit($draft: ID!, $expected: Int, $id: ID) {{
  payload: commitBandDraft(draft: $draft, expectedVersion: $expected, changeId: $id) {{
    cluster {{ ...Cluster }} draft {{ version state }} receipt {{ id version clusterPk sessionId }}
    {KEYS} conflicts {{ kind key field }} {ERRORS}
  }}
}}
{CLUSTER}
"""

DRAFT = f"""
query Draft($draft: ID!) {{
  draft(id: $draft) {{
    id version state isNew isDirty
    changes {{ kind key }}
    ... on BandDraft {{ cluster {{ ...Cluster }} saved {{ ...Cluster }} }}
  }}
}}
{CLUSTER}
"""

SAVED = f"query Saved($pk: ID!) {{ band(pk: $pk) {{ ...Cluster }} }} {CLUSTER}"

NAMED = f"""
query Named($name: String!) {{
  bands(filters: {{ name: {{ exact: $name }} }}) {{ ...Cluster }}
}}
{CLUSTER}
"""

WATCH = f"""
subscription Watch($draft: ID!, $after: Int) {{
  event: draftEvents(draft: $draft, after: $after) {{
    {_EVENT}
    ... on EditorsChanged {{ {EDITORS} }}
    ... on BaseChanged {{ conflicts {{ kind key field theirs mine }} }}
    ... on DraftExpiring {{ expiresAt }}
    draft {{ version state {EDITORS} ... on BandDraft {{ cluster {{ ...Cluster }} }} }}
  }}
}}
{CHANGES}
{CLUSTER}
"""

FOCUS = """
mutation Focus($draft: ID!, $key: ID, $field: String) {
  focused: setFocus(draft: $draft, key: $key, field: $field)
}
"""

PRESENT = f"query Present($draft: ID!) {{ draft(id: $draft) {{ {EDITORS} }} }}"
