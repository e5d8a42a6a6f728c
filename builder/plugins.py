"""The one door by which engines, samplers and gates enter: those of this package and of others.

A plug point names a group of entry points and the Protocol that their objects keep. What does not
load or does not keep it is refused in one line that names the package, the entry point and the
member at fault. A name of ours is ours: no other package can take it over, and it costs no look
at whatever else is installed.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import (
    EntryPoint,
    EntryPoints,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from typing import Any, Generic, TypeVar, cast

from builder.errors import InputError, nearest

DISTRIBUTION = "text-dataset-builder"
MISSING = object()

T = TypeVar("T")


@dataclass(frozen=True)
class PlugPoint(Generic[T]):
    """A group of entry points; `T` is what loading one of them gives."""

    noun: str  # what one is called: engine, sampler, gate
    group: str
    protocol: Any  # the Protocol, a class: mypy takes no abstract one for a `type[T]`
    # Whether an entry point's class is called without arguments; else the class is what is
    # used.
    instances: bool = False
    # What else is wrong with a loaded object of that name, a line each.
    problems: Callable[[str, T], Iterable[str]] = lambda name, loaded: ()

    def ours(self) -> tuple[str, ...]:
        """The names that this package brings, sorted."""
        return tuple(sorted(_ours(self.group)))

    def names(self) -> tuple[str, ...]:
        """The names of all that are installed, sorted."""
        return tuple(sorted({*_ours(self.group), *_others(self.group, tuple(sys.path))}))

    def __contains__(self, name: str) -> bool:
        return name in _ours(self.group) or name in _others(self.group, tuple(sys.path))

    def load(self, name: str) -> T:
        """What the entry point of that name gives, found to keep the Protocol.

        Raises InputError with the nearest name where there is none, and with the package and what
        is wrong where it does not fit.
        """
        return cast("T", _loaded(self, name, tuple(sys.path)))

    def every(self) -> dict[str, T]:
        """All that are installed by their names, sorted."""
        return {name: self.load(name) for name in self.names()}

    def point(self, name: str) -> EntryPoint:
        """The entry point of that name; InputError where there is none, or more than one."""
        point = _ours(self.group).get(name)
        if point is not None:
            return point
        points = _others(self.group, tuple(sys.path)).get(name, ())
        if len(points) > 1:
            packages = " and ".join(_package(point) for point in points)
            raise InputError(f"{self.noun} {name!r} is brought by {packages}: uninstall one")
        if not points:
            raise InputError(
                f"there is no {self.noun} {name!r}.{nearest(name, self.names())} "
                f"They are: {', '.join(self.names())}"
            )
        return points[0]


@lru_cache(maxsize=64)
def _loaded(plug: PlugPoint[Any], name: str, path: tuple[str, ...]) -> object:
    """What an entry point gives; kept as long as the path on which packages are found."""
    point = plug.point(name)
    try:
        loaded = point.load()
        if plug.instances and inspect.isclass(loaded):
            loaded = loaded()
        faults = [*misfits(loaded, plug.protocol, instance=plug.instances)]
        faults = faults or [*plug.problems(name, loaded)]
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{_who(plug, point)} does not load: {what}") from error
    if faults:
        raise InputError(f"{_who(plug, point)} does not fit: {'; '.join(faults)}")
    return loaded


def _who(plug: PlugPoint[Any], point: EntryPoint) -> str:
    """The package and the entry point, for errors alone: a package's metadata is long to read."""
    return (
        f"{plug.noun} {point.name!r} of {_package(point)} "
        f"({point.group}: {point.name} = {point.value})"
    )


@lru_cache(maxsize=8)
def _ours(group: str) -> Mapping[str, EntryPoint]:
    points = _all_ours().select(group=group)
    if not points:
        raise InputError(
            f"{DISTRIBUTION} is not installed with its {group}: run `pip install -e .` in its folder"
        )
    return {point.name: point for point in points}


@lru_cache(maxsize=1)
def _all_ours() -> EntryPoints:
    """The entry points of this package: reading them opens one file."""
    try:
        return distribution(DISTRIBUTION).entry_points
    except PackageNotFoundError:
        return EntryPoints()


@lru_cache(maxsize=8)
def _others(group: str, path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of other packages; looking through all that is installed takes milliseconds."""
    points: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        if point.name not in _ours(group):
            points[point.name] = (*points.get(point.name, ()), point)
    return points


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def misfits(loaded: object, protocol: type, *, instance: bool) -> Iterator[str]:
    """What of the Protocol an object does not keep, a line each: `draw is missing`.

    A class keeps it when its instances would, so what is set in `__init__` is not looked for;
    with `instance` the object itself keeps it.
    """
    if inspect.isclass(loaded) == instance:
        yield "it is a class" if instance else "it is no class"
        return
    for name, member in _members(protocol):
        attribute = inspect.getattr_static(loaded, name, MISSING)
        if attribute is MISSING or _is_abstract(attribute):
            yield f"{name} is missing"
        elif _function(member) is not None:
            yield from _method_faults(name, loaded, attribute, member)


def _members(protocol: type) -> Iterator[tuple[str, object]]:
    """What a Protocol asks for: its methods and properties, and the attributes of its class."""
    bases = [base for base in protocol.__mro__ if base.__module__ not in ("builtins", "typing")]
    for base in reversed(bases):
        for name, kind in vars(base).get("__annotations__", {}).items():
            if "ClassVar" in str(kind):
                yield name, None
        for name, member in vars(base).items():
            function = _function(member)
            if isinstance(member, property) or (
                function and function.__module__ == base.__module__
            ):
                yield name, member


def _function(member: object) -> Callable[..., object] | None:
    """The plain function under a method of any kind; None for other members."""
    inner = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    return inner if inspect.isfunction(inner) else None


def _is_abstract(member: object) -> bool:
    function = member.fget if isinstance(member, property) else _function(member)
    return bool(function and vars(function).get("__isabstractmethod__"))


def _method_faults(name: str, loaded: object, attribute: object, member: object) -> Iterator[str]:
    """What is wrong with a method: no method, not awaitable, or not to be called as it will be."""
    function, expected = _function(attribute) or attribute, _function(member)
    if not callable(function) or expected is None:
        yield f"{name} is no method"
        return
    if inspect.iscoroutinefunction(expected) and not inspect.iscoroutinefunction(function):
        yield f"{name} is no `async def`"
        return
    wanted = list(inspect.signature(expected).parameters.values())
    wanted = wanted if isinstance(member, staticmethod) else wanted[1:]
    given = _called(name, loaded, function, attribute, on_class=not inspect.isfunction(member))
    positional = [
        MISSING for parameter in wanted if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    keywords = {
        parameter.name: MISSING for parameter in wanted if parameter.kind is parameter.KEYWORD_ONLY
    }
    try:
        if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in wanted):
            given.bind(*positional, **keywords)
    except TypeError:
        yield f"{name} takes {_shown(given.parameters.values())}, not {_shown(wanted)}"


def _called(
    name: str, loaded: object, function: Callable[..., object], attribute: object, *, on_class: bool
) -> inspect.Signature:
    """The parameters that are left to whoever calls a method."""
    if name == "__init__" and inspect.isclass(loaded):
        return inspect.signature(loaded)
    given = inspect.signature(function)
    bound = isinstance(attribute, classmethod) or (inspect.isfunction(attribute) and not on_class)
    return given.replace(parameters=list(given.parameters.values())[1:]) if bound else given


def _shown(parameters: Iterable[inspect.Parameter]) -> str:
    names = ", ".join(
        f"{parameter.name}="
        if parameter.kind is parameter.KEYWORD_ONLY
        else str(parameter.replace(annotation=parameter.empty))
        for parameter in parameters
    )
    return f"({names})"
