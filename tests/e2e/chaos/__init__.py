"""Faults at random instants against real processes, and a checker of all that was promised.

`drive` runs a round: `clients` send the operations of `mix` to the workers of `fleet`, while the
faults of a seeded `plan` befall these and the `servers`. All that clients see is kept in a
`record`, and what is there in the end; `checker` and `ledger` judge it.
"""
