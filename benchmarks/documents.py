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

NESTED_UPDATE = """
mutation Update($data: PlainOrderInput!) { payload: updateOrder(data: $data) { id } }
"""

_LINE = "pk product quantity price note"
_PAGE = "lines(filters: $filters, ordering: $ordering, pagination: { limit: 20 })"
_PAGE_VARIABLES = "$filters: OrderLineFilter, $ordering: [OrderLineOrder!]"
_WHOLE = "number customer status placed notes lines"

SAVED_PAGE = f"""
query Page($id: ID!, {_PAGE_VARIABLES}) {{ order(pk: $id) {{ {_PAGE} {{ {_LINE} }} }} }}
"""

DRAFT_PAGE = f"""
query Page($id: ID!, {_PAGE_VARIABLES}) {{
  draft(id: $id) {{ ... on OrderDraft {{ cluster {{ {_PAGE} {{ {_LINE} }} }} }} }}
}}
"""

SAVED_WHOLE = f"query Whole($id: ID!) {{ order(pk: $id) {{ {_WHOLE} {{ {_LINE} }} }} }}"

DRAFT_WHOLE = f"""
query Whole($id: ID!) {{
  draft(id: $id) {{ ... on OrderDraft {{ cluster {{ {_WHOLE} {{ {_LINE} }} }} }} }}
}}
"""

SHARE = "mutation Share($draft: ID!) { shareDraft(draft: $draft) { token } }"

JOIN = "mutation Join($token: String!) { joinDraft(token: $token) { errors { code } } }"

_CHANGES = "changes { kind key typename fields { name before after } }"

WATCH = f"""
subscription Watch($draft: ID!) {{
  event: draftEvents(draft: $draft) {{ __typename version ... on DraftEdited {{ {_CHANGES} }} }}
}}
"""

STOCK_WATCH = f"""
subscription Watch($draft: ID!) {{
  event: events(draft: $draft) {{ __typename version {_CHANGES} }}
}}
"""

STOCK_EDIT = """
mutation Edit($draft: ID!, $version: Int!, $key: String!, $note: String!) {
  edit(draft: $draft, version: $version, key: $key, value: $note)
}
"""


def _open_new(name: str) -> str:
    return f"""
    mutation Open($data: {name}Input!) {{
      payload: open{name}Draft(data: $data) {{ draft {{ id }} errors {{ code message }} }}
    }}
    """


def _add(name: str) -> str:
    return f"""
    mutation Add($draft: ID!, $lines: [{name}LineInput!]!) {{
      payload: edit{name}Draft(draft: $draft, changes: [{{ lines: {{ add: $lines }} }}]) {{
        errors {{ code message }}
      }}
    }}
    """


OPEN_NEW = {name: _open_new(name) for name in ("Order", "Invoice")}
ADD = {name: _add(name) for name in ("Order", "Invoice")}
