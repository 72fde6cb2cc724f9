"""The settings that hold in one folder, and who says so.

Precedence, from the strongest: flag, environment, task, profile, project (once it is trusted),
user, shipped. A profile is named on purpose, so it goes before the settings: those hold where it
says nothing.
"""

import os
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, ValidationError

from agentcli import asset
from agentcli.config.layer import Layer, LayerKind, merge, merge_all, set_fields, setters
from agentcli.config.policy import ALWAYS, LoadedPolicy, load_policy
from agentcli.config.profile import (
    Budget,
    Profile,
    Settings,
    Words,
    read_profile,
    refuse_empty,
    refuse_uncovered,
    refuse_unsafe,
)
from agentcli.config.project import FOLDER, Project, find_project
from agentcli.document import Document, did_you_mean, read_source
from agentcli.errors import ConfigError, UsageError

NAME = "settings.yaml"
# The key that each variable of the environment sets.
VARIABLES = {
    "AGENTCLI_PROFILE": "profile",
    "AGENTCLI_MODEL": "model",
    "AGENTCLI_SANDBOX": "sandbox.backend",
    "AGENTCLI_USD": "budget.usd",
    "AGENTCLI_STEPS": "budget.steps",
    "AGENTCLI_TIME": "budget.time_s",
}
FLAGS = {
    "profile": "--profile",
    "model": "--model",
    "sandbox.backend": "--sandbox",
    "sandbox.mounts": "--mount",
    "budget.usd": "--usd",
    "budget.steps": "--steps",
    "budget.time_s": "--time",
}
MOST_SIGNERS = 100_000
# What a settings file says beside how to work.
OWN_KEYS = ("profile", "api", "approval", "roles")


class ApiSettings(Document):
    """How to reach the API where the environment does not say it. Only one source of the key.

    key_file: readable by its owner alone; a relative path is seen from the settings file.
    key_command: prints the key; run without a shell. keyring: the service that holds it.
    """

    base_url: Words | None = None
    key_file: Words | None = None
    key_command: Annotated[tuple[Words, ...], Field(min_length=1)] | None = None
    keyring: Words | None = None


class ApprovalSettings(Document):
    """Who may say yes to privileged calls, and with which key one says so oneself.

    allowed_signers: a file as OpenSSH takes it: agentcli help approval. key: one's own private
    key, or the public one of a key that an agent holds. separate: the yes must be of another
    than the requester of the run. Relative paths are seen from the settings file.
    """

    allowed_signers: Words | None = None
    key: Words | None = None
    separate: bool | None = None


class SettingsFile(Settings):
    """One `settings.yaml`. roles: who has each, by the name of their account, or NAME@HOST."""

    profile: Words | None = None
    api: ApiSettings | None = None
    approval: ApprovalSettings | None = None
    roles: dict[str, tuple[Words, ...]] | None = None


@dataclass(frozen=True)
class Config:
    """All that holds in one folder. layers: the weakest first. project: trusted or not.

    project_error: why the project's own files cannot be used, whatever anybody accepts.
    only_shipped: whether the user's own profiles, tasks and tools stay out of it.
    workspace: the folder.
    """

    layers: tuple[Layer, ...]
    environment: Layer
    project: Project | None = None
    project_error: str = ""
    only_shipped: bool = False
    workspace: Path | None = None

    @property
    def own_folder(self) -> Path | None:
        """The project's own folder, if its content is trusted."""
        if self.project is not None and self.project.is_trusted:
            return self.project.folder
        return None

    def named_files(self, kind: str) -> dict[str, Path]:
        return {name: paths[0] for name, paths in self.all_named_files(kind).items()}

    def all_named_files(self, kind: str) -> dict[str, list[Path]]:
        """Return all files of a kind by name, the nearest of each name first."""
        if self.only_shipped:
            return {path.stem: [path] for path in asset.shipped("configs", kind).glob("*.yaml")}
        return asset.all_named_files(kind, self.own_folder)

    def tool_folders(self) -> list[Path]:
        if self.only_shipped:
            return [asset.shipped("tools")]
        return asset.tool_folders(self.own_folder)

    def profile_name(self, flag: str = "", task: str | None = None) -> str:
        """Return who works: what a flag says, the environment, a task, or else the settings."""
        by_environment = self.environment.data.get("profile")
        name = flag or by_environment or task or merge_all(self.layers)["profile"]
        return str(name)

    def profile(
        self, flag: str = "", task: str | None = None, limits: Budget | None = None
    ) -> Profile:
        """Return a profile with all that holds under it.

        task: the profile that the task names. limits: what the task may use up.
        Raises ConfigError naming file, line, field and what was expected; MissingFileError.
        """
        name = self.profile_name(flag, task)
        with self.in_place():
            known = self.all_named_files("profiles")
            files, description = read_profile(name, known, self.own_folder)
        by_task = set_fields(limits) if limits is not None else {}
        asked = [Layer("task", {"budget": by_task})] if by_task else []
        layers = (*self.layers, *files, *asked, self.environment)
        merged = {k: v for k, v in merge_all(layers).items() if k not in OWN_KEYS}
        stem = Path(name).stem if asset.is_path(name) else name
        named = [name for layer in layers for name in layer.data.get("policies") or ()]
        policies = tuple(dict.fromkeys(named))  # none takes back what another says
        about = {"name": stem, "description": description, "layers": layers, "policies": policies}
        return Profile.model_validate({**merged, **about}, strict=False)

    def policy_files(self) -> dict[str, list[Path]]:
        """Return the policies by name. That of a trusted project adds to one of the same name."""
        folder = asset.shipped("configs", "policies")
        known = {path.stem: path for path in folder.glob("*.yaml")}
        if not self.only_shipped:
            known = asset.named_files("policies")
        found = {name: [path] for name, path in known.items()}
        if self.own_folder is not None:
            for path in sorted((self.own_folder / "policies").glob("*.yaml")):
                found.setdefault(path.stem, []).append(path)
        return found

    def policies(self, profile: Profile) -> list[LoadedPolicy]:
        """Return the policies that hold under a profile. Raises ConfigError."""
        known = self.policy_files()
        names = list(profile.policies or ())
        for name in names:
            if name not in known:
                near = did_you_mean(name, known)
                with self.in_place():
                    raise profile.error_at("policies", f"there is no policy `{name}`{near}")
        always = asset.config_home() / "policies" / f"{ALWAYS}.yaml"
        paths = [path for name in names for path in known[name]]
        if not self.only_shipped and always.exists() and always not in paths:
            paths.append(always)
        found = [self.policy_at(path) for path in paths]
        for policy in found:
            if policy.file.unsafe:
                self.refuse_unsafe_policy(profile, policy.name)
        return found

    def policy_at(self, path: Path) -> LoadedPolicy:
        """Return the policy in a file, which may be a project's. Raises ConfigError."""
        with self.in_place():
            return load_policy(path, self.shown(path), of_project=self.is_of_project(path))

    def in_place(self) -> AbstractContextManager[None]:
        """Let what is wrong with a project's accepted files be told where one can mend it."""
        return self.project.in_place() if self.project is not None else nullcontext()

    def is_of_project(self, path: Path) -> bool:
        """Say whether a file came with the project: the file itself, or the accepted copy."""
        if self.project is None:
            return False
        folders = (self.project.folder, self.project.root / FOLDER)
        return any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)

    def refuse_unsafe_policy(self, profile: Profile, name: str) -> None:
        """Refuse an unsafe policy that nobody but the project has named."""
        naming = [layer for layer in profile.layers if name in (layer.data.get("policies") or ())]
        if naming and all(
            layer.source is not None and self.is_of_project(layer.source.path) for layer in naming
        ):
            source, names = naming[-1].source, naming[-1].data["policies"]
            assert source is not None
            text = f"`{name}` is unsafe: only your own files can name it"
            with self.in_place():
                raise source.error_at(f"policies.{names.index(name)}", text)

    def shown(self, path: Path) -> str:
        """Return what the file of a policy is called: the same for everyone, if it ships."""
        for folder, name in ((asset.shipped("configs"), "configs"), (self.own_folder, ".agentcli")):
            if folder is not None and path.is_relative_to(folder):
                return f"{name}/{path.relative_to(folder)}"
        return str(path)

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        return dict(merge_all(self.layers).get("roles") or {})

    @property
    def api(self) -> ApiSettings:
        """How to reach the API. Raises ConfigError for more than one source of the key."""
        data = merge_all(self.layers).get("api") or {}
        named = [name for name in ("key_file", "key_command", "keyring") if data.get(name)]
        if len(named) > 1:
            layer, _ = next(setters(self.layers, f"api.{named[1]}"))
            place, both = layer.where(f"api.{named[1]}"), " and ".join(named)
            raise ConfigError(f"{place}: of {both} only one can hold: set the others to null")
        if urllib.parse.urlsplit(data.get("base_url") or "").username is not None:
            layer, _ = next(setters(self.layers, "api.base_url"))
            place = layer.where("api.base_url")
            raise ConfigError(f"{place}: an address with a name and a password is not taken")
        if data.get("key_file"):
            data = {**data, "key_file": str(self.path_at("api.key_file"))}
        return ApiSettings.model_validate(data, strict=False)

    def path_at(self, key: str) -> Path | None:
        """Return the file that a setting names, as it is seen from where it is said."""
        layer, value = next(setters(self.layers, key), (None, None))
        if layer is None or not value:
            return None
        base = layer.source.path.parent if layer.source else Path()
        return base / os.path.expanduser(str(value))

    @property
    def signing_key(self) -> Path | None:
        """The key that one signs with, if there is one."""
        return self.path_at("approval.key")

    @property
    def is_separate(self) -> bool:
        return bool((merge_all(self.layers).get("approval") or {}).get("separate"))

    def allowed_signers(self) -> str:
        """Return who may say yes to privileged calls, "" for nobody.

        Raises ConfigError for a file that names nobody, or that others can change.
        """
        path = self.path_at("approval.allowed_signers")
        if path is None:
            return ""
        layer, _ = next(setters(self.layers, "approval.allowed_signers"))
        place = layer.where("approval.allowed_signers")
        try:
            if path.stat().st_mode & 0o022:
                hint = f"chmod go-w {path}"
                raise ConfigError(f"{place}: {path} can be changed by others", hint=hint)
            with path.open("rb") as file:
                data = file.read(MOST_SIGNERS + 1)
            if len(data) > MOST_SIGNERS:
                raise ConfigError(f"{place}: {path}: has more than {MOST_SIGNERS:,} bytes")
            text = data.decode()
        except OSError as error:
            raise ConfigError(f"{place}: {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ConfigError(f"{place}: {path}: is not text") from None
        lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
        if not lines or not all(len(line.split()) >= 3 for line in lines):
            hint = "A line each: NAME ssh-ed25519 AAAA...; agentcli help approval"
            raise ConfigError(f"{place}: {path}: is not a list of allowed signers", hint=hint)
        return text


def load_config(workspace: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Return what holds in a folder.

    Raises ConfigError naming file, line, field and what was expected.
    """
    project, project_error = None, ""
    try:
        project = find_project(workspace) if workspace.is_dir() else None
    except ConfigError as error:
        project_error = str(error)
    layers = read_layers(project, asset.config_home(environ))
    return Config(layers, read_environment(environ), project, project_error, workspace=workspace)


def config_if_trusted(project: Project) -> Config:
    """Return what would hold at the root of a proposed project, whatever the environment says."""
    layers = read_layers(project, asset.config_home())
    return Config(layers, Layer("environment", {}), project, workspace=project.root)


def read_layers(project: Project | None, own: Path) -> tuple[Layer, ...]:
    """Return the settings of all files, the weakest first. own: the folder of the user's own."""
    places: list[tuple[LayerKind, Path]] = [
        ("shipped", asset.shipped("configs", NAME)),
        ("user", own / NAME),
    ]
    if project is not None and project.is_trusted:
        places.append(("project", project.folder / NAME))
    with project.in_place() if project is not None else nullcontext():
        return tuple(read_layer(kind, path) for kind, path in places if path.exists())


def shipped_config() -> Config:
    """Return what holds where nobody has said anything: the same for everyone."""
    shipped = read_layer("shipped", asset.shipped("configs", NAME))
    return Config((shipped,), Layer("environment", {}), only_shipped=True)


def read_layer(kind: LayerKind, path: Path) -> Layer:
    source = read_source(path)
    file = source.read(SettingsFile)
    refuse_empty(source, file)
    if kind == "project":
        refuse_uncovered(source, "model", file.model)
        if file.approval is not None:
            text = "is not a project's to say: only your own settings name who may approve"
            raise source.error_at("approval", text)
        if file.roles is not None:
            text = "is not a project's to say: only your own settings name who has which role"
            raise source.error_at("roles", text)
        refuse_unsafe(source, file)
        for name in ("key_file", "key_command", "keyring"):
            if file.api is not None and getattr(file.api, name) is not None:
                text = "is not a project's to say: only your own settings name where a key is"
                raise source.error_at(f"api.{name}", text)
        if file.profile is not None and asset.is_path(file.profile):
            raise source.error_at("profile", "must be a name: what a path leads to is not covered")
    return Layer(kind, set_fields(file), source)


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Return what the environment sets. Raises ConfigError naming the variable."""
    data: dict[str, Any] = {}
    for variable, key in VARIABLES.items():
        text = environ.get(variable, "").strip()
        if text:
            nested: Any = text.removeprefix("$") if key == "budget.usd" else text
            for part in reversed(key.split(".")):
                nested = {part: nested}
            try:
                read = SettingsFile.model_validate(nested, strict=False)
            except ValidationError:
                # Only the limits can be wrong: the others are any text.
                wanted = "dollars" if key == "budget.usd" else "a whole number"
                raise ConfigError(f"{variable}: must be {wanted} above 0, got `{text}`") from None
            data = merge(data, set_fields(read))
    return Layer("environment", data, variables={key: name for name, key in VARIABLES.items()})


def all_keys(model: type[BaseModel] = SettingsFile, before: str = "") -> Iterator[str]:
    """Yield every key of the settings, dotted, in the order of the model."""
    for name, field in model.model_fields.items():
        inner = [
            kind
            for kind in (field.annotation, *get_args(field.annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if inner:
            yield from all_keys(inner[0], f"{before}{name}.")
        else:
            yield before + name


def find_key(key: str) -> str:
    """Return the key as it is written. Raises UsageError with the nearest."""
    known = list(all_keys())
    if key not in known:
        last = {name.rpartition(".")[2]: name for name in known}
        if key in last:
            return last[key]
        near = did_you_mean(key, [*known, *last])
        raise UsageError(f"there is no setting `{key}`{near}", hint="See: agentcli config show")
    return key
