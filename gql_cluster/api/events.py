"""Events as clients see them: past-tense facts about a draft, numbered by its version."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from gql_cluster.api.deltas import NodeChange, node_changes
from gql_cluster.api.drafts import Draft
from gql_cluster.api.payloads import SavedKey, saved_keys
from gql_cluster.api.served import Served
from gql_cluster.domain.draft import Cause
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.watch import Event
