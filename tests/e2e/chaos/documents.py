"""The GraphQL that the clients of a round send."""

from tests.e2e.operations import CLUSTER

_EVENT = """
fragment Event on DraftEvent {
  __typename version sessionId changeId
  ... on DraftEdited { cause changes { ...Change } }
  ... on DraftCommitted { keys { key pk } changes { ...Change } }
}
fragment Change on NodeChange {
  kind key typename relation parentKey
  fields { name before after }
  node { ... on BandMember { position } ... on Song { position } }
}
"""
_ERRORS = "errors { code message key field }"
_DIFFERENCE = """
draft { version changes { kind key typename parentKey fields { name before after } } }
"""

EDIT = f"""
mutation Edit($draft: ID!, $changes: [BandChange!]!, $expected: Int, $id: ID!) {{
  payload: editBandDraft(
    draft: $draft, changes: $changes, expectedVersion: $expected, changeId: $id
  ) {{ event {{ ...Event }} {_ERRORS} }}
}}
{_EVENT}
"""

UNDO = f"""
mutation Undo($draft: ID!, $id: ID!) {{
  payload: undoDraft(draft: $draft, changeId: $id) {{ event {{ ...Event }} {_ERRORS} }}
}}
{_EVENT}
"""

REDO = UNDO.replace("Undo", "Redo").replace("undo", "redo")

REBASE = f"""
mutation Rebase($draft: ID!, $policy: ConflictPolicy!, $id: ID!) {{
  payload: rebaseDraft(draft: $draft, onConflict: $policy, changeId: $id) {{
    {_DIFFERENCE} event {{ ...Event }} {_ERRORS}
  }}
}}
{_EVENT}
"""

COMMIT = f"""
mutation Commit($draft: ID!, $policy: ConflictPolicy!, $keepOpen: Boolean!, $id: ID!) {{
  payload: commitBandDraft(
    draft: $draft, onConflict: $policy, keepOpen: $keepOpen, changeId: $id
  ) {{ receipt {{ version clusterPk }} keys {{ key pk }} conflicts {{ kind key field }} {_ERRORS} }}
}}
"""

REVERT = f"""
mutation Revert($draft: ID!, $version: Int!, $id: ID!) {{
  payload: revertDraft(draft: $draft, version: $version, changeId: $id) {{
    event {{ ...Event }} {_ERRORS}
  }}
}}
{_EVENT}
"""

RESET = f"""
mutation Reset($draft: ID!, $keys: [ID!]!, $id: ID!) {{
  payload: resetNodes(draft: $draft, keys: $keys, changeId: $id) {{
    event {{ ...Event }} {_ERRORS}
  }}
}}
{_EVENT}
"""

SHARE = (
    f"mutation Share($draft: ID!) {{ payload: shareDraft(draft: $draft) {{ token {_ERRORS} }} }}"
)

JOIN = f"mutation Join($token: String!) {{ payload: joinDraft(token: $token) {{ {_ERRORS} }} }}"

DRAFT = f"""
query Draft($draft: ID!) {{
  draft(id: $draft) {{ version state ... on BandDraft {{ cluster {{ ...Cluster }} }} }}
}}
{CLUSTER}
"""

WATCH = f"""
subscription Watch($draft: ID!, $after: Int) {{
  event: draftEvents(draft: $draft, after: $after) {{
    ...Event
    ... on DraftSnapshot {{ draft {{ ... on BandDraft {{ state cluster {{ ...Cluster }} }} }} }}
  }}
}}
{_EVENT}
{CLUSTER}
"""
