"""How people read which model is meant: the one rule for all pages.

A model is called by its label; by the name that its server has for it where another one has the same label; and with
its backend where several backends have it and the place tells which one is meant. Programs read the server's name
always: the API, the command line's tables and downloads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from forllm_server.catalog.model import KnownModel
from forllm_server.catalog.model_store import list_known_models


@dataclass(frozen=True)
class ModelNames:
    """What each server's name of a model is called, and the backends that have a model of that name now."""

    called: Mapping[str, str]
    backends: Mapping[str, Mapping[int | None, str]]

    def words(self, name: str | None, backend_id: int | None = None) -> str:
        """What a person reads: ``qwen3``, or ``qwen3 on Attic`` where ``backend_id`` tells one of several.

        A name that no backend ever had, an imported one perhaps, stays as it is; empty without a name.
        """
        if not name:
            return ""
        called, having = self.called.get(name, name), self.backends.get(name, {})
        return f"{called} on {having[backend_id]}" if len(having) > 1 and backend_id in having else called


def read_model_names(connection: Connection) -> ModelNames:
    """Of every model that was ever seen, in one query."""
    return name_models(list_known_models(connection))


def name_models(known: Sequence[KnownModel]) -> ModelNames:
    """``known``: those seen last at the end. Pure."""
    labels = {each.name: each.label for each in known}
    of_label: dict[str, set[str]] = {}
    for name, label in labels.items():
        of_label.setdefault(label, set()).add(name)
    backends: dict[str, dict[int | None, str]] = {}
    for each in known:
        if each.is_there:
            backends.setdefault(each.name, {})[each.backend_id] = each.backend_name
    called = {name: label if len(of_label[label]) == 1 else name for name, label in labels.items()}
    return ModelNames(called, backends)
