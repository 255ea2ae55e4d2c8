"""The errors that a user can cause and can mend. Each message is a sentence: what, where, what to do."""


class CuveeError(Exception):
    """Something that the user can mend. The message says what was found, where, what was wanted and what to do."""


class SourceError(CuveeError):
    """A source could not be read or written."""


class SchemaError(CuveeError):
    """The data does not have the form that was asked for."""


class RecipeError(CuveeError):
    """A recipe or a choice in it is wrong."""


class ModelError(CuveeError):
    """A model could not be fitted, opened or sampled as asked."""


class SimulationError(CuveeError):
    """A scenario is wrong, or can't be simulated as it is."""


class MissingExtraError(CuveeError):
    """A library that only some jobs need is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra!r}, which is not installed. Run: pip install 'cuvee[{extra}]'")
