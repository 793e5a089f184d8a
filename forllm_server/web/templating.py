"""Templates as fast as Jinja can make them."""

from collections.abc import MutableMapping
from typing import Any

from flask.templating import Environment as FlaskEnvironment


class Environment(FlaskEnvironment):
    """Flask's, but a template that was given no names of its own shares the environment's.

    Jinja gives each template a chain of two mappings, the first of them empty, and compares the names of two such
    chains at every import: 2,000 look-ups a page with sixty imports.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """What a template sees beside its context: ``d`` before the environment's names."""
        return super().make_globals(d) if d else self.globals
