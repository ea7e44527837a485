"""Runs the steps of action.yml as a GitHub runner does, with the files and variables that the runner provides.

It supports only the features that the action uses. Anything else is an error, so that the action cannot rely on
features that a runner does not have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash")

# Variables that a machine may need to reach a package registry, and to make environments.
_KEPT = re.compile(
    r"PATH|LANG|LC_ALL|TMPDIR|PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|https?_proxy|HTTPS?_PROXY|(no|NO)_.*"
)
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@dataclass
class StepResult:
    """The result of a step."""

    status: int
    log: str
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class ActionResult:
    """The result of the action: its steps up to the first that failed, and its outputs."""

    steps: dict[str, StepResult]
    outputs: dict[str, str]

    @property
    def status(self) -> int:
        return [*self.steps.values()][-1].status

    @property
    def log(self) -> str:
        return "".join(step.log for step in self.steps.values())

    @property
    def summary(self) -> str:
        return "".join(step.summary for step in self.steps.values())

    @property
    def annotations(self) -> list[str]:
        """The lines that a runner treats as commands: those that begin with "::", or contain "##["."""
        return [line for line in self.log.split("\n") if line.lstrip().startswith("::") or "##[" in line]


def checkout(to: Path) -> Path:
    """Copy the files of a checkout that mkindex is installed from, as a runner gets them."""
    to.mkdir()
    for name in ("gen", "templates", "man", "action"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("action.yml", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, to / name)
    return to


class Runner:
    """A runner with one job. The action is at `action`, and installs everything once."""

    def __init__(self, action: Path, temp: Path) -> None:
        self.action = action
        self.temp = temp
        self.definition: dict[str, Any] = yaml.safe_load((action / "action.yml").read_text())
        self._steps: list[dict[str, Any]] = self.definition["runs"]["steps"]
        self._installed: StepResult | None = None
        self._count = 0
        temp.mkdir()

    def use(self, workspace: Path, inputs: dict[str, str] | None = None, *, home: Path | None = None) -> ActionResult:
        """Run the steps until one fails."""
        given = self._inputs(inputs or {})
        steps: dict[str, StepResult] = {}
        for step in self._steps:
            if step["id"] == "install":
                if self._installed is None:
                    self._installed = self.step("install", workspace, given, steps, home=home)
                done = self._installed
            else:
                done = self.step(step["id"], workspace, given, steps, home=home)
            steps[step["id"]] = done
            if done.status:
                break
        outputs = {
            name: self._evaluated(output["value"], given, steps) for name, output in self.definition["outputs"].items()
        }
        return ActionResult(steps, outputs)

    def step(
        self,
        name: str,
        workspace: Path,
        inputs: dict[str, str],
        steps: dict[str, StepResult],
        *,
        home: Path | None = None,
        path: str | None = None,
    ) -> StepResult:
        """Run one step with bash, as `shell: bash` says; `path`: another PATH."""
        (step,) = [step for step in self._steps if step["id"] == name]
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        self._count += 1
        own = self.temp / f"step-{self._count}"
        own.mkdir()
        (own / "script.sh").write_text(step["run"])
        files = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")
        for file in files:
            (own / file).touch()
        home = home or own
        environment = {key: value for key, value in os.environ.items() if _KEPT.fullmatch(key)}
        environment |= {file: str(own / file) for file in files}
        environment |= {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_ACTION_PATH": str(self.action),
            "RUNNER_TEMP": str(self.temp),
            "HOME": str(home),
        }
        environment |= {key: self._evaluated(value, inputs, steps) for key, value in step["env"].items()}
        environment |= {"PATH": path} if path is not None else {}
        assert BASH
        done = subprocess.run(
            [BASH, "--noprofile", "--norc", "-e", "-o", "pipefail", own / "script.sh"],
            cwd=workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert [(own / file).read_text() for file in files[2:]] == ["", ""]
        return StepResult(
            done.returncode,
            done.stdout,
            (own / "GITHUB_STEP_SUMMARY").read_text(),
            _parse_outputs((own / "GITHUB_OUTPUT").read_text()),
        )

    def _inputs(self, given: dict[str, str]) -> dict[str, str]:
        declared = {name: str(about["default"]) for name, about in self.definition["inputs"].items()}
        if unknown := given.keys() - declared.keys():
            raise KeyError(f"no such inputs: {unknown}")
        return declared | given

    def _evaluated(self, text: str, inputs: dict[str, str], steps: dict[str, StepResult]) -> str:
        ids = [step["id"] for step in self._steps]

        def value(match: re.Match[str]) -> str:
            expression = match[1].strip()
            known = {"runner.temp": str(self.temp), "github.action_path": str(self.action)}
            if expression in known:
                return known[expression]
            if asked := re.fullmatch(r"inputs\.([a-z-]+)", expression):
                return inputs[asked[1]]
            if asked := re.fullmatch(r"steps\.([a-z]+)\.outputs\.([a-z]+)", expression):
                assert asked[1] in ids
                return steps[asked[1]].outputs.get(asked[2], "") if asked[1] in steps else ""
            raise ValueError(f"an unsupported expression: {expression}")

        return _EXPRESSION.sub(value, str(text))


def _parse_outputs(content: str) -> dict[str, str]:
    """Read what a step wrote to GITHUB_OUTPUT: "name=value" in a line each, as the action writes it."""
    outputs = {}
    for line in content.splitlines():
        name, equals, value = line.partition("=")
        assert equals, f"a runner does not accept this line: {line!r}"
        assert re.fullmatch("[a-z]+", name), line
        outputs[name] = value
    return outputs
