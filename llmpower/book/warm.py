"""Executes chapters in a process that has loaded what they need: a fork each, instead of a kernel each.

A kernel takes seconds to start and to load its libraries.  So a process loads them once and forks a child for every
chapter, and nothing else ever runs in that child: `engine` lets papermill execute the cells in the very process that
asks, by the kernel that Jupyter brings for that.  A process with threads must not fork; this one has none.
"""

import contextlib
import functools
import gc
import importlib.util
import json
import os
import pathlib
import pkgutil
import select
import signal
import subprocess
import sys

from llmpower.book.files import PACKAGE

# Elsewhere libraries of mathematics do not survive a fork, or there is none.
FORKS = sys.platform == "linux"
# Whether this process is a fork that does one job.
forked = False
# What chapters load of other packages, and what executes them; of this one what every run depends on.
_LOADED = (
    "pandas", "matplotlib.pyplot", "scipy.optimize", "sympy", "tabulate", "papermill", "nbclient",
    "ipykernel.inprocess.ipkernel", "ipykernel.zmqshell", "ipykernel.comm", "sqlite3", "sympy.tensor.tensor",
    "matplotlib.backends.backend_svg", "IPython.core.oinspect", "psutil", "llmpower.book.jobs",
)  # fmt: skip
# What does a job, by the name of its function and its arguments.
_ASKED = "llmpower.book.jobs:told"
# [s] between two looks whether a child has ended that tells nothing.
_LOOK_S = 0.5
_ENDED = getattr(os, "WEXITED", 0) | getattr(os, "WNOHANG", 0) | getattr(os, "WNOWAIT", 0)
# What the process says where nobody listens.
_ERRORS = "stderr.txt"
_MAIN = "from llmpower.book.warm import main; main()"
DIED = "its kernel died (killed, out of memory, or a cell ended it)"


class CellTimeout(BaseException):
    """A cell took longer than it may."""


def environment(place):
    """What another Python of ours begins with: this package, and none of the caller's own settings.

    place: an empty folder.

    It imports nothing from where the caller happens to be, and knows no settings of Python, start-up files of IPython,
    or style and backend of figures.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "IPYTHON"))}
    figures = pathlib.Path(importlib.util.find_spec("matplotlib").origin).parent
    return own | {
        "PYTHONPATH": str(PACKAGE.parent), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1",
        # What follows the order of a set is then the same in every build.
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(place), "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(figures / "mpl-data" / "matplotlibrc"), "JUPYTER_PATH": "",
    }  # fmt: skip


@functools.cache
def engine():
    """Register an engine of papermill that executes in this process, which runs one notebook and ends; its name."""
    from ipykernel.inprocess.manager import InProcessKernelManager
    from nbformat.v4 import output_from_msg
    from papermill.engines import Engine, papermill_engines

    class Here(Engine):
        """Runs the cells of a notebook in this process, one after the other."""

        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, execution_timeout=0, **settings):
            from llmpower.book import watch

            watch.start()
            manager = InProcessKernelManager()
            manager.start_kernel()
            client = manager.client()
            client.start_channels()
            if report := sys.modules.get("llmpower.book.report"):
                # It was loaded before there was a kernel.
                report.begin()
            nb_man.nb.metadata["language_info"] = manager.kernel.language_info
            signal.signal(signal.SIGALRM, _too_long)
            for place, cell in enumerate(nb_man.nb.cells):
                if cell.cell_type != "code":
                    continue
                nb_man.cell_start(cell, place)
                signal.setitimer(signal.ITIMER_REAL, execution_timeout)
                client.execute(cell.source)
                signal.setitimer(signal.ITIMER_REAL, 0)
                shell = manager.kernel.shell
                cell.execution_count = shell.execution_count - 1
                cell.outputs = outputs = []
                while client.iopub_channel.msg_ready():
                    message = client.get_iopub_msg()
                    if message["msg_type"] in ("display_data", "execute_result", "stream", "error"):
                        new = output_from_msg(message)
                        last = outputs[-1] if outputs else {}
                        if new.output_type == last.get("output_type") == "stream" and new.name == last.name:
                            last.text += new.text
                        else:
                            outputs.append(new)
                if outputs and outputs[-1].output_type == "error":
                    nb_man.cell_exception(cell, place)
                    break
                nb_man.cell_complete(cell, place)
                if shell.exit_now or isinstance(shell.last_execution_result.error_in_exec, SystemExit):
                    # A cell left Python.
                    break

    papermill_engines.register("here", Here)
    return "here"


def _too_long(number, frame):
    raise CellTimeout("it took longer than a cell may")


class Warm:
    """Another process, for jobs one after the other; each is done in a fork of it."""

    def __init__(self, place, also=()):
        """place: an empty folder that is there as long as this process.

        also: modules to load besides, and functions to call, ``module:name``.
        """
        self.place, self.also = pathlib.Path(place), also
        self._start()

    def _start(self):
        # Mathematics on several threads would make it a process with threads, and two chapters at once no faster.
        own = environment(self.place) | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        command = [sys.executable, "-c", _MAIN, *self.also]
        with open(self.place / _ERRORS, "w") as errors:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
            self.process = subprocess.Popen(command, cwd=self.place, env=own, encoding="utf-8", **pipes)

    def call(self, function, **arguments):
        """Let a fork do one of `llmpower.book.jobs`; its exit code and what it told, or -1 and why it died."""
        if self.process.poll() is not None:
            # It was killed after its last job.
            self.close()
            self._start()
        try:
            print(json.dumps([function, arguments]), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return json.loads(answer)
        # Above zero, Python itself could not go on.
        lines = (self.place / _ERRORS).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return [-1, lines[-1] if self.process.wait() > 0 and lines else ""]

    def terminate(self):
        """End the process at once."""
        self.process.terminate()

    def close(self):
        """Let the process end, with what it is doing."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def main():
    """Do jobs, a line each, until there are no more of them."""
    # Kernels load a debugger, a hundred modules, which nobody asks for here.
    sys.modules["debugpy"] = None
    # What is loaded stays: searching it for garbage again and again finds none.
    gc.disable()
    for name in (*_LOADED, *sys.argv[1:]):
        found = pkgutil.resolve_name(name)
        if ":" in name:
            found()
    # Children leave alone what is there, so that they share it.
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    # With the terminal's Ctrl-C, who asked for jobs ends, and so does the line of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        answer, told = os.pipe()
        child = os.fork()
        if not child:
            os.close(answer)
            _do(line, told)
        os.close(told)
        try:
            text = _text(child, answer)
        except BaseException:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            raise
        os.close(answer)
        print(text if text.endswith("]") else json.dumps([-1, ""]), flush=True)


def _text(child, answer):
    """All that a child tells, when it has ended; it is not waited for if who asked is gone."""
    parts = []
    while True:
        ready = select.select([answer, sys.stdin], [], [], _LOOK_S)[0]
        if sys.stdin in ready:
            # Nobody asks for more before the answer: this is the end of the line.
            sys.exit(1)
        if answer in ready:
            parts.append(os.read(answer, 1 << 16))
        # What a child left behind may hold its end of the pipe.
        if answer in ready and not parts[-1] or not ready and os.waitid(os.P_PID, child, _ENDED):
            os.waitpid(child, 0)
            return b"".join(parts).decode("utf-8")


def _do(line, told):
    """The job of a child, which ends with it; what it tells is a code and a text."""
    global forked
    forked = True
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    # What is no fault of a chapter ends as a death does.
    code, text = -1, ""
    try:
        code, text = pkgutil.resolve_name(_ASKED)(*json.loads(line))
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
    finally:
        with os.fdopen(told, "w", encoding="utf-8") as file:
            json.dump([code, text], file)
        os._exit(0)
