"""Says in a toast why a key did nothing: it acts on another screen, or it cannot act now."""

from collections.abc import Iterator

from textual.app import App
from textual.binding import Binding

from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.settings import Settings


class ExplainsKeys(App[str]):
    """An app that explains keys without effect. In a field, a letter is text and needs no reason."""

    settings: Settings

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        """As Textual's, which calls this for each key: with priority before the focus gets the key, else afterwards."""
        acted = await super()._check_bindings(key, priority)
        if not acted and not priority:
            self._explain(key)
        return acted

    def _explain(self, key: str) -> None:
        screen = self.screen
        if not isinstance(screen, Screen):
            return
        for binding in self._bound_here(key):
            if why := screen.why_not(binding.action.rpartition(".")[2].partition("(")[0]):
                self.notify(why)
                return
        for place, bindings in screen.elsewhere().items():
            for binding in bindings:
                if key in self._keys_of(binding):
                    shown = self.get_key_display(binding)
                    self.notify(f"{shown} ({binding.description.lower()}) works {place}", markup=False)
                    return

    def _bound_here(self, key: str) -> Iterator[Binding]:
        """The bindings of a key that did not act, those of the focus first."""
        for _, bindings in self.screen._modal_binding_chain:
            yield from bindings.key_to_bindings.get(key, ())

    def _keys_of(self, binding: Binding) -> list[str]:
        """The keys of a binding, as the user's settings have them."""
        return self.settings.keymap.get(binding.id or "", binding.key).split(",")
