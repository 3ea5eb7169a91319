"""The mirror: a saved cluster and a draft of it answer alike."""

import pytest
import strawberry
from strawberry.relay import to_base64

from gql_cluster.api.ids import NodeId, SavedId, parse
from schema.bands.models import Band
from schema.films.models import Movie
from tests.api.mirror_kit import both, draft_of, make_band, make_schema, queries, run

pytestmark = pytest.mark.django_db

SCALARS = "pk name status formed origin website biography createdAt updatedAt"
MEMBER = "pk name instrument joined left position band { pk name }"
SONG = "pk title duration position album { pk band { name } }"
ALBUM = f"pk title released label kind band {{ pk }} songs {{ {SONG} }}"

PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
NAMES = f"{{ totalCount {PAGE} edges {{ cursor node {{ name }} }} }}"


def cursor(index: int) -> str:
    """Return the cursor of an edge."""
    return to_base64("arrayconnection", index)


LISTS = [
    f"members {{ {MEMBER} }}",
    f"albums {{ {ALBUM} }}",
    "genres { pk id name }",
    # Filters
    'members(filters: {name: {exact: "Sahnie"}}) { name }',
    'members(filters: {name: {exact: "sahnie"}}) { name }',
    'members(filters: {name: {iExact: "SAHNIE"}}) { name }',
    'members(filters: {name: {iExact: "the ärzte-GAST"}}) { name }',
    'members(filters: {name: {contains: "B"}}) { name }',
    'members(filters: {name: {contains: "Ä"}}) { name }',
    'members(filters: {name: {contains: "ä"}}) { name }',
    'members(filters: {name: {contains: "%"}}) { name }',
    'members(filters: {name: {contains: ""}}) { name }',
    'members(filters: {name: {iContains: "ä"}}) { name }',
    'members(filters: {name: {iContains: "Á"}}) { name }',
    'members(filters: {name: {startsWith: "BELA"}}) { name }',
    'members(filters: {name: {iStartsWith: "FARIN"}}) { name }',
    'members(filters: {name: {endsWith: "b."}}) { name }',
    'members(filters: {name: {iEndsWith: "IE"}}) { name }',
    'members(filters: {name: {inList: ["Sahnie", "bela B.", "Nobody"]}}) { name }',
    "members(filters: {name: {inList: []}}) { name }",
    "members(filters: {instrument: {exact: BASS}}) { name }",
    "members(filters: {instrument: {inList: [BASS, DRUMS]}}) { name }",
    "members(filters: {joined: {isNull: true}}) { name }",
    "members(filters: {joined: {isNull: false}}) { name }",
    "members(filters: {joined: {gt: 1982}}) { name }",
    "members(filters: {joined: {gte: 1982, lt: 1993}}) { name }",
    "members(filters: {left: {lte: 1986}}) { name }",
    "members(filters: {joined: {range: {start: 1980, end: 1990}}}) { name }",
    "members(filters: {NOT: {left: {exact: 1986}}}) { name }",
    "members(filters: {NOT: {joined: {gt: 1982}}}) { name }",
    "members(filters: {NOT: {NOT: {joined: {gt: 1982}}}}) { name }",
    "members(filters: {NOT: {joined: {range: {start: 1990, end: null}}}}) { name }",
    "members(filters: {NOT: {joined: {inList: []}}}) { name }",
    "members(filters: {NOT: {joined: {exact: 1982}, left: {isNull: true}}}) { name }",
    'members(filters: {joined: {exact: 1982}, OR: {name: {contains: "Gast"}}}) { name }',
    'members(filters: {AND: {joined: {exact: 1982}, name: {contains: "ah"}}}) { name }',
    "members(filters: {position: {gte: 3}, DISTINCT: true}) { name position }",
    "members(filters: null, ordering: null, pagination: null) { name }",
    "albums(filters: {released: {year: {exact: 1995}}}) { title }",
    "albums(filters: {released: {month: {inList: [5, 9]}}}) { title }",
    'albums(filters: {released: {gt: "1995-09-18"}}) { title }',
    "albums(filters: {released: {quarter: {exact: 2}}}) { title }",
    "albums(filters: {released: {weekDay: {exact: 6}}}) { title }",
    "albums(filters: {released: {isoYear: {exact: 1983}}}) { title }",
    'albums(filters: {label: {exact: ""}}) { title }',
    'albums { songs(filters: {duration: {gt: "PT2M"}}) { title } }',
    "albums { songs(filters: {duration: {isNull: true}}) { title } }",
    'genres(filters: {name: {startsWith: "P"}}) { name }',
    # Ordering
    "members(ordering: [{name: ASC}]) { name }",
    "members(ordering: [{name: DESC}]) { name }",
    "members(ordering: [{left: ASC}, {name: ASC}]) { name left }",
    "members(ordering: [{left: DESC}, {name: ASC}]) { name left }",
    "members(ordering: [{left: ASC_NULLS_LAST}, {name: DESC}]) { name left }",
    "members(ordering: [{left: ASC_NULLS_FIRST}, {name: DESC}]) { name left }",
    "members(ordering: [{left: DESC_NULLS_LAST}, {pk: DESC}]) { name left }",
    "members(ordering: [{joined: DESC_NULLS_FIRST}, {pk: ASC}]) { name joined }",
    "members(ordering: [{instrument: ASC}, {position: DESC}]) { name instrument }",
    "members(ordering: []) { name }",
    "albums(ordering: [{released: DESC}]) { title }",
    "albums(ordering: [{label: ASC}, {title: ASC}]) { title }",
    "albums { songs(ordering: [{duration: DESC}, {position: ASC}]) { title } }",
    "genres(ordering: [{name: DESC}]) { name }",
    # Pagination
    "members(pagination: {offset: 1, limit: 2}) { name }",
    "members(pagination: {offset: 4}) { name }",
    "members(pagination: {offset: 9, limit: 2}) { name }",
    "members(pagination: {limit: 0}) { name }",
    "members(pagination: {limit: -1}) { name }",
    "members(ordering: [{name: ASC}], pagination: {offset: 1, limit: 3}) { name }",
    "members(filters: {left: {isNull: true}}, pagination: {limit: 2}) { name }",
    "albums(pagination: {limit: 2}) { title songs(pagination: {offset: 1, limit: 1}) { title } }",
    "genres(pagination: {limit: 1}) { name }",
    # Connections
    f"membersConnection {{ totalCount edges {{ cursor node {{ {MEMBER} }} }} }}",
    f"membersConnection {NAMES}",
    f"membersConnection(first: 2) {NAMES}",
    f'membersConnection(first: 2, after: "{cursor(1)}") {NAMES}',
    f'membersConnection(last: 2, before: "{cursor(3)}") {NAMES}',
    f'membersConnection(after: "{cursor(0)}", before: "{cursor(4)}", first: 2) {NAMES}',
    f"membersConnection(last: 2) {NAMES}",
    f"membersConnection(first: 2, ordering: [{{name: DESC}}]) {NAMES}",
    f"membersConnection(filters: {{joined: {{exact: 1982}}}}, first: 2) {NAMES}",
    "membersConnection { totalCount }",
    f"albums {{ songsConnection(last: 1) {{ totalCount {PAGE} edges {{ node {{ title }} }} }} }}",
    f"genresConnection(first: 1) {NAMES}",
    # Several fields of one relation
    "members(pagination: {limit: 1}) { name } membersConnection(first: 2) { totalCount }",
    f"members(pagination: {{limit: 1}}) {{ name }} membersConnection(first: 2) {NAMES}",
    f"membersConnection(first: 2) {NAMES} members(filters: {{joined: {{gt: 1990}}}}) {{ name }}",
    f"members {{ name }} membersConnection {NAMES}",
    f'genres(filters: {{name: {{exact: "Punk"}}}}) {{ name }} genresConnection {NAMES}',
    "a: members(pagination: {limit: 1}) { name } b: members(pagination: {offset: 1}) { name }",
]


@pytest.fixture(scope="module", params=[True, False], ids=["optimized", "plain"])
def schema(request: pytest.FixtureRequest) -> strawberry.Schema:
    """The schema of bare models, with strawberry-django's optimizer and without."""
    return make_schema(Band, Movie, optimized=request.param)


@pytest.mark.parametrize("fields", [SCALARS, *LISTS])
def test_saved_and_unchanged_draft_answer_alike(schema: strawberry.Schema, fields: str) -> None:
    """The same query text gives the same JSON."""
    saved, drafted = both(schema, make_band(), fields)
    assert drafted == saved
    assert saved


def test_ids_of_saved_and_draft_differ(schema: strawberry.Schema) -> None:
    """No object of a draft has the id of a saved one; keys are the draft's alone."""
    band = make_band()
    saved, drafted = both(schema, band, "id key members { id key pk }")
    assert parse(saved["id"], {"Band"}) == SavedId(type="Band", pk=str(band.pk))
    assert parse(drafted["id"], {"Band"}) == NodeId(cluster="Band", draft="d1", key="root")
    assert saved["key"] is None
    assert drafted["key"] == "root"
    member = drafted["members"][0]
    assert member["key"] == f"BandMember:{member['pk']}"
    assert parse(member["id"], {"Band"}) == NodeId(cluster="Band", draft="d1", key=member["key"])
    assert {each["key"] for each in saved["members"]} == {None}


def test_draft_reads_no_database(schema: strawberry.Schema) -> None:
    """Scalars, children and parents of a draft cost no query."""
    view = draft_of(make_band()).view()
    with queries() as captured:
        run(
            schema,
            f"{{ draftBand {{ {SCALARS} members {{ {MEMBER} }} albums {{ {ALBUM} }} }} }}",
            view,
        )
    assert len(captured) == 0


def test_saved_reads_a_query_a_relation() -> None:
    """The optimizer prefetches through modelcluster's managers."""
    schema = make_schema(Band)
    band = make_band()
    fields = f"members {{ {MEMBER} }} albums {{ {ALBUM} }} genres {{ name }}"
    with queries() as captured:
        run(schema, f"{{ band(pk: {band.pk}) {{ {fields} }} }}")
    assert len(captured) == 5
    fields = "membersConnection(first: 2) { edges { node { name } } }"
    albums = "albums { songsConnection(first: 1) { totalCount edges { node { title } } } }"
    with queries() as captured:
        run(schema, f"{{ bands {{ {fields} {albums} }} }}")
    assert len(captured) == 4


def test_saved_fields(schema: strawberry.Schema) -> None:
    """One by its key, a list, a connection; a key that can't be one finds nothing."""
    band = make_band()
    Band.objects.create(name="Abwärts")
    data = run(
        schema,
        """query ($pk: ID!) {
          band(pk: $pk) { name }
          none: band(pk: "999999") { name }
          nonsense: band(pk: "x") { name }
          bands(filters: {formed: {isNull: true}}) { name }
          ordered: bands(ordering: [{name: DESC}], pagination: {limit: 1}) { name }
          bandsConnection(first: 1) { totalCount edges { node { name } } }
        }""",
        pk=str(band.pk),
    )
    assert data == {
        "band": {"name": "Die Ärzte"},
        "none": None,
        "nonsense": None,
        "bands": [{"name": "Abwärts"}],
        "ordered": [{"name": "Die Ärzte"}],
        "bandsConnection": {"totalCount": 2, "edges": [{"node": {"name": "Abwärts"}}]},
    }


@pytest.mark.parametrize(
    "fields",
    [
        f"membersConnection(first: 0) {NAMES}",
        f'membersConnection(first: 2, after: "{cursor(9)}") {NAMES}',
    ],
)
def test_empty_pages_are_as_relay_has_them(fields: str) -> None:
    """As strawberry-django has them, too, where it does not prefetch (there they differ)."""
    saved, drafted = both(make_schema(Band, optimized=False), make_band(), fields)
    assert drafted == saved
    assert drafted["membersConnection"]["edges"] == []
