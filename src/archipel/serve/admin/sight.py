"""What of projects, keys and usage somebody may see, as conditions of queries."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, and_, false, or_, select, true

from archipel.serve.accounts.people import Person, may
from archipel.serve.accounts.tables import keys, projects, usage


@dataclass(frozen=True)
class Sight:
    """All of some projects; of others, what belongs to the person's own keys."""

    everything: bool
    whole: Collection[int] = ()  # projects of which keys and usage are seen
    part: Collection[int] = ()  # projects of which the person's own are
    own_keys: Collection[int] = ()  # in `part`

    def of_projects(self) -> ColumnElement[bool]:
        """For a query on projects."""
        return self._where(projects.c.id.in_((*self.whole, *self.part)))

    def of_keys(self) -> ColumnElement[bool]:
        """For a query on keys."""
        return self._where(self._either(keys.c.project, keys.c.id))

    def of_usage(self) -> ColumnElement[bool]:
        """For a query on usage."""
        return self._where(self._either(usage.c.project, usage.c.key))

    def _either(self, project: Column[int], key: Column[int]) -> ColumnElement[bool]:
        whole, own = project.in_(self.whole), key.in_(self.own_keys)
        return or_(whole, own) if self.own_keys else whole

    def _where(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        if self.everything:
            return true()
        return condition if self.whole or self.part else false()


def sight_of(connection: Connection, person: Person) -> Sight:
    """What the person may see now."""
    if may(person, "keys.see") and may(person, "usage.see"):
        return Sight(everything=True)
    found = connection.execute(select(projects).where(projects.c.name.in_(person.projects))).all()
    whole = [one.id for one in found if may(person, "keys.see", one.name)]
    part = [one.id for one in found if one.id not in whole]
    its = and_(keys.c.person == person.id, keys.c.project.in_(part))
    own = connection.execute(select(keys.c.id).where(its)).scalars()
    return Sight(False, whole, part, list(own))
