"""The command line: arguments in, calls out, nothing decided here.

Results go to standard output, progress to standard error. Exit codes: 0 done, 1 failed, 2 usage, 3 a gate failed,
130 interrupted.
"""

import sys
from collections.abc import Sequence

DONE, FAILED, USAGE, GATE, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    sys.exit(call(sys.argv[1:] if arguments is None else arguments))


def call(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    from cyclopts import CycloptsError

    from cuvee.cli.further import app
    from cuvee.data.errors import CuveeError

    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        code = result if isinstance(result, int) else DONE
    except CycloptsError as error:
        code = _say(f"{error}\nSee: cuvee --help", USAGE)
    except CuveeError as error:
        code = _say(str(error), FAILED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is its choice and no failure of ours.
        sys.stderr.close()
        code = DONE
    except OSError as error:
        code = _say(f"{error.filename or 'A file'}: {error.strerror or error}.", FAILED)
    except MemoryError:
        code = _say("There is not enough memory for this. Use fewer rows or columns, or a larger machine.", FAILED)
    except KeyboardInterrupt as stopped:
        code = _say(str(stopped) or "Interrupted. Nothing was half written.", INTERRUPTED)
    return code


def _say(message: str, code: int) -> int:
    """One message on standard error; the code."""
    sys.stderr.write(f"cuvee: {message}\n")
    return code
