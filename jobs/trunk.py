"""Whether the way to the town is open: the gateway or provider answers, and has taken our registration."""

from jobs.ami import Event, Manager, ManagerException, NoAnswer
from jobs.phones import reachable
from jobs.settings import Settings


class Trunk:
    """What the exchange tells of the trunk."""

    def __init__(self, settings: Settings) -> None:
        self._registers = settings.trunk_account is not None
        self._registration = ""
        self.silent = False

    def forget(self) -> None:
        """The connection to the exchange is a new one: what was told before is not known any more."""
        self.silent, self._registration = False, ""

    def note_contact(self, event: Event) -> None:
        """Whether the trunk answers: while a call goes on over it, its device state does not tell."""
        if event.get_header("AOR") == "trunk":
            self.silent = event.get_header("ContactStatus") == "Unreachable"

    def look(self, manager: Manager, state: str | None) -> None:
        """Take over its device state, and ask for the registration. Raises `ManagerException`."""
        self.silent |= not reachable(state)
        if self._registers:
            try:
                told = manager.list_action({"Action": "PJSIPShowRegistrationsOutbound"})
            except NoAnswer:
                raise
            except ManagerException:  # refused: the exchange still has the files from before the account was set
                told = []
            found = [event.get_header("Status", "") for event in told if event.get_header("ObjectName") == "trunk"]
            self._registration = found[0] if found else "Unregistered"

    def trouble(self) -> str:
        """In one sentence; "" when all is well, or not known yet."""
        if self._registration == "Rejected":
            return "The provider refuses our registration: see CC_TRUNK_USER and CC_TRUNK_PASSWORD."
        if self._registration not in ("", "Registered"):
            return (
                "The provider does not answer our registration: see CC_TRUNK_HOST and the network, or ask the provider."
            )
        if self.silent:
            return "The trunk does not answer: see whether the gateway has power and network, or ask the provider."
        return ""
