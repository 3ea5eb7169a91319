"""Inputs of sets: members by primary key, with what their rows hold, and tags by name."""

from __future__ import annotations

from gql_cluster.api.members import InputMaker, Member, row_members, type_of_member
from gql_cluster.api.names import InputNames
from gql_cluster.api.scalars import describe_field
from gql_cluster.domain.spec import SetSpec
from gql_cluster.orm.describe import Cluster


class SetInputs:
    """Makes the inputs of many-to-many sets, each once."""

    def __init__(self, maker: InputMaker, names: InputNames) -> None:
        """Start with none."""
        self._maker = maker
        self._make = maker.make
        self._names = names

    def change(self, cluster: Cluster, type_name: str, held: SetSpec) -> str:
        """Return the name of the input of one change of a set."""
        group = self.group(cluster, type_name, held)
        parent = self._names.node(cluster, type_name)
        name = (
            self._names.set_change(held.name)
            if group is None
            else self._names.of_rows(parent, held.name, "Change")
        )
        if name not in self._maker.types:
            members = {
                "add": Member(type="list[ID]", description="Add objects, by primary key."),
                "add_with": Member(
                    type=group, description="Add objects, and say what their rows hold."
                ),
                "remove": Member(type="list[ID]", description="Take objects out."),
                "replace": Member(type="list[ID]", description="Make it hold just these."),
                "replace_with": Member(
                    type=group,
                    description="Make it hold just these; those that are new in it get such rows.",
                ),
                "clear": Member(type=bool, description="Take all out; only `true`."),
            }
            left_out = {"add_with", "replace_with"} if group is None else set()
            left_out |= set() if held.is_bare else {"add", "replace"}
            members = {each: member for each, member in members.items() if each not in left_out}
            self._make(name, f"One change of `{held.name}`.", members, one_of=True)
        return name

    def group(self, cluster: Cluster, type_name: str, held: SetSpec) -> str | None:
        """Return the input of some members and what their rows hold; None where that is nothing."""
        model = cluster.models[type_name]
        given = row_members(model, held)
        if not given:
            return None
        parent = self._names.node(cluster, type_name)
        name = self._names.of_rows(parent, held.name, "Members")
        if name not in self._maker.types:
            rows = self._names.of_rows(parent, held.name, "Fields")
            fields = {
                each.name: Member(type=type_of_member(each), description=describe_field(each))
                for each in given
            }
            self._make(rows, f"What a row of `{held.name}` holds besides its two ends.", fields)
            members = {
                "pks": Member(type="list[ID]", description="The objects.", required=True),
                "through_defaults": Member(
                    type=rows, description="What the row of each holds.", required=True
                ),
            }
            self._make(name, f"Some of `{held.name}`, whose rows hold the same.", members)
        return name

    def tags_change(self) -> str:
        """Return the name of the input of one change of tags."""
        name = self._names.tags_change()
        if name not in self._maker.types:
            members = {
                "add": Member(type="list[String]", description="Add tags, by name."),
                "remove": Member(type="list[String]", description="Take tags off."),
                "replace": Member(type="list[String]", description="Let it have just these."),
                "clear": Member(type=bool, description="Take all off; only `true`."),
            }
            self._make(name, "One change of tags.", members, one_of=True)
        return name
