"""The objects that a person wants of a dataset, and which of them it has."""

import logging

from pipeline.assets.sources import Unplanned
from pipeline.assets.tables.name_lists import SPOKEN_KEYS, read_names
from pipeline.base.errors import ConfigError

logger = logging.getLogger(__name__)


class Wanted:
    """The names of a list (see `read_names` for its forms): uids, SHA-256 or file identifiers.

    People's lists hold names that are not in the dataset: they are told, and stop nothing while others are there.

    Attributes:
        names: all of them, each once, as `canonical` spells them.
    """

    def __init__(self, path: str, setting: str):
        """Read the list at `path`, which the field `setting` of the config gives.

        Raises:
            ConfigError: as `read_names`.
        """
        self._setting = setting
        self.names: set[str] = set()
        twice, first = 0, ""
        for name in read_names(path, setting):
            if name in self.names:
                twice, first = twice + 1, first or name
            self.names.add(name)
        if twice:
            logger.warning("%s: %d names are there more than once, %s is the first", setting, twice, first)
        self._unseen = set(self.names)

    def has(self, *names: str) -> bool:
        """Whether an object with these names is wanted; the names by which it is have been seen then."""
        found = [name for name in names if name in self.names]
        self._unseen.difference_update(found)
        return bool(found)

    def conclude(self, dataset: str, unplanned: Unplanned) -> None:
        """Note the names that no object of the dataset has, once all of its objects were asked for.

        Raises:
            ConfigError: that holds for all names of the list.
        """
        if not self._unseen:
            return
        first, count = min(self._unseen)[:80], len(self._unseen)
        if count == len(self.names):
            raise ConfigError(
                f"{self._setting}: {dataset} has none of the {count} names in the list ({first!r} is one); are they "
                f"{SPOKEN_KEYS}?"
            )
        for name in sorted(self._unseen):
            unplanned.note(name, f"{self._setting} names it, but it is not in {dataset}")
        logger.warning(
            "%s: %d of the %d names in the list are not in %s, %r is the first",
            *(self._setting, count, len(self.names), dataset, first),
        )
