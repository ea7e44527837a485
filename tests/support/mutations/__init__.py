"""The defects that an index can have, each with the rule that must find it."""

from support.mutations import installs, tolerated
from support.mutations.mutation import Mutation

__all__ = ["MUTATIONS", "Mutation"]

MUTATIONS: tuple[Mutation, ...] = (*installs.MUTATIONS, *tolerated.MUTATIONS)
