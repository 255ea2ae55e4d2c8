"""One run while it lasts: what each step's key is, whether its value is there, and what it gives."""

import time
from dataclasses import dataclass, field
from typing import Any

from cuvee.core import Event, Watch
from cuvee.data.errors import CuveeError, RecipeError
from cuvee.data.names import did_you_mean
from cuvee.data.problems import Where, spelled
from cuvee.recipe.filled import filled_step, step_seed
from cuvee.recipe.inputs import data_key, files_key, form, hidden, is_read_each_time
from cuvee.recipe.keys import key_of, parents
from cuvee.recipe.model import Recipe
from cuvee.recipe.results import StepRecord
from cuvee.recipe.steps import Step, verb_of
from cuvee.recipe.store import Entry, Store
from cuvee.recipe.values import kind_of, rows_of, told
from cuvee.sources.secrets import redact


class Interrupted(KeyboardInterrupt):
    """A run was interrupted; the steps that were finished are kept.

    Attributes:
        finished: The steps that were finished, in order.
        step: The step that was interrupted.
    """

    def __init__(self, finished: tuple[str, ...], step: str) -> None:
        kept = f"Kept: {', '.join(finished)}." if finished else "No step was finished."
        super().__init__(f"Interrupted in step {step!r}. {kept} Run the recipe again to go on from there.")
        self.finished = finished
        self.step = step


@dataclass(slots=True)
class Job:
    """One run while it lasts: keys and records of the steps so far, and the values that later steps need."""

    recipe: Recipe
    store: Store
    watch: Watch
    forced: frozenset[str]
    keys: dict[str, str | None] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    records: list[StepRecord] = field(default_factory=list)

    def plan(self, name: str, step: Step) -> None:
        """What would become of a step, without running anything."""
        key = self._step_key(name, step, reading=False)
        entry = None if key is None or name in self.forced else self.store.entry(key)
        self._record(name, step, entry, skipped=entry is not None)

    def step(self, name: str, step: Step) -> None:
        """Run a step, or find that its value is there."""
        began = time.monotonic()
        try:
            self.watch(Event(name, 0, 0, verb_of(step) or ""))
            key = self._step_key(name, step, reading=True) or ""
            entry = None if name in self.forced else self.store.entry(key)
            skipped = entry is not None
            entry = entry or self._made(name, step, key)
            seconds = time.monotonic() - began
            self._record(name, step, entry, skipped=skipped)
            self._save(name, step, key)
            self.watch(Event(name, 1, 1, "unchanged, skipped" if skipped else f"{entry.gave}, {seconds:.1f} s"))
        except KeyboardInterrupt:
            raise Interrupted(tuple(r.name for r in self.records), name) from None
        except CuveeError as error:
            raise self.told(error, ("steps", name)) from None
        self._let_go(name)

    def value(self, name: str) -> Any:
        """The value of a source or step: at hand, read, or opened from the store."""
        if name not in self.values:
            if name in self.recipe.sources:
                from cuvee.recipe.work import read_source

                try:
                    self.values[name] = read_source(name, self.recipe.sources[name], self.recipe.folder)
                except CuveeError as error:
                    raise self.told(error, ("sources", name)) from None
            else:
                self.values[name] = self._stored(name)
        return self.values[name]

    def reference(self, reference: str) -> Any:
        """What a reference means."""
        from cuvee.recipe.work import part_of

        name, _, part = reference.partition(".")
        if name not in self.recipe.sources and name not in self.recipe.steps:
            hint = did_you_mean(name, [*self.recipe.sources, *self.recipe.steps])
            raise RecipeError(f"There is no source and no step {name!r}.{hint}")
        return part_of(self.value(name), part, name)

    def _stored(self, name: str) -> Any:
        key = self.keys.get(name)
        if key is None or self.store.entry(key) is None:
            raise RecipeError(f"The step {name!r} has no value: it has not been run.")
        return self.store.load(key)

    def _made(self, name: str, step: Step, key: str) -> Entry:
        """Do a step and keep its value."""
        from cuvee.recipe.work import perform

        given = {r.role: self.reference(r.name) for r in step.references().values()}
        began = time.monotonic()
        seed = step_seed(self.recipe.seed, name, step)
        value = perform(step, given, seed=seed, watch=self._relay(name, verb_of(step) or ""))
        entry = Entry(kind_of(value), told(value), rows_of(value), time.monotonic() - began)
        self.store.keep(key, value, entry, anew=name in self.forced)
        self.values[name] = value
        return entry

    def _save(self, name: str, step: Step, key: str) -> None:
        """Write the file that a step saves, unless it stands there as it was written for this value."""
        from cuvee.recipe.work import write_value

        if step.save is None:
            return
        path = self.recipe.folder / step.save
        if name in self.forced or self.store.written(path) != key:
            write_value(self.value(name), path)
            self.store.note(path, key)

    def _record(self, name: str, step: Step, entry: Entry | None, *, skipped: bool) -> None:
        self.records.append(
            StepRecord(
                name=name,
                verb=verb_of(step) or "",
                key=self.keys[name],
                seconds=entry.seconds if entry else 0.0,
                skipped=skipped,
                gave=entry.gave if entry else "",
                rows=entry.rows if entry else {},
                seed=step_seed(self.recipe.seed, name, step),
                inputs={r.role: r.name for r in step.references().values()},
                spec=filled_step(step),
            )
        )

    def _step_key(self, name: str, step: Step, *, reading: bool) -> str | None:
        """The key of a step; None where an input can be told only by reading it, and it is not to be read."""
        inputs = {parent: self._input_key(parent, reading=reading) for parent in parents(step)}
        seed = step_seed(self.recipe.seed, name, step)
        known = all(key is not None for key in inputs.values())
        self.keys[name] = key_of({"step": filled_step(step), "inputs": inputs, "seed": seed}) if known else None
        return self.keys[name]

    def _input_key(self, name: str, *, reading: bool) -> str | None:
        if name not in self.keys:
            source = self.recipe.sources[name]
            try:
                if not is_read_each_time(source, self.recipe.folder):
                    content = files_key(source, self.recipe.folder)
                elif reading:
                    content = data_key(self.value(name))
                else:
                    return None
                what = {
                    "source": name,
                    "form": form(source, self.recipe.folder),
                    "options": source.options(),
                    "key": source.key,
                }
            except CuveeError as error:
                raise self.told(error, ("sources", name)) from None
            self.keys[name] = key_of({**what, "content": content})
        return self.keys[name]

    def _relay(self, name: str, verb: str) -> Watch:
        """Passes the events of a verb on under the name of its step."""
        secrets = self._secrets()

        def relay(event: Event) -> None:
            step = name if event.step == verb else f"{name}: {event.step}"
            self.watch(Event(step, event.done, event.total, redact(event.note, secrets)))

        return relay

    def told(self, error: CuveeError, where: Where) -> RecipeError:
        """An error with the place of the step or source that it came from, and no secret."""
        text = redact(str(error), self._secrets())
        places = self.recipe.places
        if text.startswith(f"{places.name}:"):
            return RecipeError(text)
        mark = places.key(where)
        said = "" if text.startswith(spelled(where)) else f"{spelled(where)}: "
        return RecipeError(f"{places.name}:{mark.line}:{mark.column}: {said}{text}")

    def _secrets(self) -> tuple[str, ...]:
        return tuple(value for source in self.recipe.sources.values() for value in hidden(source))

    def _let_go(self, done: str) -> None:
        """Forget the values that no later step refers to: the store has them."""
        names = list(self.recipe.steps)
        later = {p for n in names[names.index(done) + 1 :] for p in parents(self.recipe.steps[n])}
        self.values = {name: value for name, value in self.values.items() if name in later}
