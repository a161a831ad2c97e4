"""The page's templates, compiled once: at first use, kept as bytecode beside the package."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from aegismatrix.desk.html import figures, wording
from aegismatrix.desk.html.verdicts import skill_and_interval
from aegismatrix.errors import MissingExtraError

if TYPE_CHECKING:
    import jinja2

_FOLDER = Path(__file__).parent
_MADE_BY = "made_by"


def template(name: str) -> jinja2.Template:
    """Return a template of the package.

    Parameters
    ----------
    name : str
        Its file, in the folder of this module.

    Returns
    -------
    jinja2.Template

    Raises
    ------
    MissingExtraError
        If Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("jinja2", extra="report") from error
    return _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2

    class Compiled(jinja2.BaseLoader):
        """Templates out of bytecode."""

        has_source_access = False

        def load(
            self,
            environment: jinja2.Environment,
            name: str,
            globals: MutableMapping[str, Any] | None = None,  # noqa: A002
        ) -> jinja2.Template:
            code = _code(environment, name, jinja2.__version__)
            return environment.template_class.from_code(environment, code, globals or {})

    environment = jinja2.Environment(
        loader=Compiled(),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=figures.percent,
        bare_percent=figures.bare_percent,
        whole_percent=figures.whole_percent,
        signed_percent=figures.signed_percent,
        points=figures.points,
        signed_points=figures.signed_points,
        indian_clock=figures.indian_clock,
        long_day=figures.long_day,
        short_day=figures.short_day,
        plain=wording.plain,
        reason=wording.reason,
        skill_and_interval=skill_and_interval,
    )
    return environment


def _code(environment: jinja2.Environment, name: str, version: str) -> CodeType:
    """Return a template's code, from Python's own cache where that is of this Jinja2."""
    loader = _TemplateFile(name, _FOLDER / name, environment, version)
    code = loader.get_code(name)
    if code is None or version not in code.co_consts:
        code = loader.source_to_code(loader.get_data(loader.path), loader.path)
    return code


class _TemplateFile(SourceFileLoader):
    """Reads a template as Python reads a module: where its bytecode is kept, and when it is old."""

    def __init__(
        self, name: str, path: Path, environment: jinja2.Environment, version: str
    ) -> None:
        super().__init__(name, str(path))
        self._environment = environment
        self._version = version

    def source_to_code(  # type: ignore[override]
        self, data: Any, path: Any, *, _optimize: int = -1
    ) -> CodeType:
        """Compile a template, and mark the code with the version of Jinja2 that it is for."""
        written = self._environment.compile(data.decode("utf-8"), self.name, path, raw=True)
        marked = f"{written}\n{_MADE_BY} = {self._version!r}\n"
        return compile(marked, path, "exec", dont_inherit=True, optimize=_optimize)
