"""The container's files: what they copy is there and suffices, what they start answers, only this machine gets in."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
CUDA = yaml.safe_load((DEPLOY / "compose.cuda.yaml").read_text(encoding="utf-8"))
OPEN = "EDGEFACE_OPEN_ACCESS"


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, arguments) of the Dockerfile, continued lines joined."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined)]


def last_stage() -> list[tuple[str, str]]:
    every = instructions()
    return every[max(at for at, (name, _) in enumerate(every) if name == "FROM") :]


def copies() -> list[tuple[list[str], str]]:
    """What comes from the project's folder, and where it goes."""
    found = [rest.split() for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    return [(sources, target) for *sources, target in found]


def copied() -> list[str]:
    return [source for sources, _ in copies() for source in sources]


def tagged(image: str) -> bool:
    name, _, tag = image.rpartition(":")
    return bool(name) and "/" not in tag and tag != "latest"


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in service.get("environment", {}).items()}


def test_images_are_named_with_their_version():
    assert all(tagged(rest.split()[0]) for name, rest in instructions() if name == "FROM")
    assert all(tagged(each["image"]) for each in COMPOSE["services"].values() if "build" not in each)


def test_the_container_runs_as_a_user_without_rights_in_a_volume_of_its_own():
    stage = last_stage()
    [user] = [rest for name, rest in stage if name == "USER"]
    assert user.isdecimal() and int(user) > 0 and f"--uid {user} " in TEXT
    data = re.search(r"EDGEFACE_DATA_DIR=(\S+)", TEXT)
    assert data is not None and ("VOLUME", data[1]) in stage
    assert any(each.endswith(f":{data[1]}") for each in COMPOSE["services"]["dashboard"]["volumes"])
    order = [name for name, _ in stage]
    assert order.index("USER") > max(at for at, name in enumerate(order) if name in ("RUN", "COPY"))


def test_what_is_copied_is_in_the_repository_and_nothing_else_reaches_the_builder():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*" and sorted(rule[1:] for rule in rules if rule.startswith("!")) == sorted(copied())
    for source in copied():
        tracked = subprocess.run(["git", "ls-files", source], cwd=ROOT, capture_output=True, text=True, check=True)
        assert tracked.stdout, source
    subprocess.run(["git", "check-ignore", "-q", "deploy/.env"], cwd=ROOT, check=True)


def names_read() -> set[str]:
    """The texts in the product's code that could name a variable."""
    paths = [path for folder in ("core", "dashboard") for path in (ROOT / folder).rglob("*.py")]
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_variables_are_those_that_the_product_reads():
    said = [rest for name, rest in instructions() if name == "ENV"]
    ours = {name for text in said for name in re.findall(r"\b(\w+)=", text) if name.startswith("EDGEFACE_")}
    dashboard = environment_of(COMPOSE["services"]["dashboard"])
    known = names_read()
    assert {name for name in dashboard if not name.startswith("EDGEFACE_")} == {"PGPASSWORD"}
    assert (ours | set(dashboard)) - {"PGPASSWORD"} <= known
    assert set(environment_of(COMPOSE["services"]["database"])) == {
        "POSTGRES_USER",
        "POSTGRES_DB",
        "POSTGRES_PASSWORD",
    }


def test_the_gallery_is_where_the_server_is_and_no_file_holds_the_password():
    from core.settings import load_settings

    dashboard, database = (environment_of(COMPOSE["services"][name]) for name in ("dashboard", "database"))
    place = str(load_settings({"EDGEFACE_GALLERY": dashboard["EDGEFACE_GALLERY"]}).gallery_path)
    user, name = database["POSTGRES_USER"], database["POSTGRES_DB"]
    assert place.partition("?")[0] == f"postgresql://{user}@database/{name}"
    for password in (dashboard["PGPASSWORD"], database["POSTGRES_PASSWORD"]):
        assert re.fullmatch(r"\$\{GALLERY_PASSWORD:\?[^}]+\}", password)
    assert set(COMPOSE["services"]["dashboard"]["networks"]) >= set(COMPOSE["services"]["database"]["networks"])
    assert all(COMPOSE["networks"][each]["internal"] for each in COMPOSE["services"]["database"]["networks"])


def test_ports_are_this_machines_alone_where_access_is_open():
    assert OPEN not in "".join(rest for name, rest in instructions() if name == "ENV")
    for service in COMPOSE["services"].values():
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in service.get("ports", []))
    published = re.findall(r"(?:-p|--publish) (\S+)", (DEPLOY / "README.md").read_text(encoding="utf-8"))
    assert published and all(each.startswith("127.0.0.1:") for each in published if each[0].isdigit())


def test_variants_change_what_is_there():
    arguments = {rest.partition("=")[0] for name, rest in instructions() if name == "ARG"}
    for name, service in CUDA["services"].items():
        assert name in COMPOSE["services"] and set(service["build"]["args"]) <= arguments
    for service in COMPOSE["services"].values():
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).samefile(
                DEPLOY / "Dockerfile"
            )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder that the image holds, made by the Dockerfile's own lines."""
    for sources, target in copies():
        for source in sources:
            there = tmp_path / "app" / (source if target == "./" else target)
            there.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, there)
    return tmp_path / "app"


@pytest.fixture
def started(tree: Path, tmp_path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The image's own start command in that tree, on a free port: its environment and that port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (tmp_path / "data").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDGEFACE_")}
    environment |= {"PYTHONPATH": str(tree), "EDGEFACE_DATA_DIR": str(tmp_path / "data"), OPEN: "1"}
    [command] = [json.loads(rest) for name, rest in last_stage() if name == "CMD"]
    command = [sys.executable, "-m", *command, "--server.port", port]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tree, env=environment, stdout=log, stderr=subprocess.STDOUT)
    yield environment, port
    process.terminate()
    process.wait(timeout=20)


def test_the_images_tree_starts_and_its_health_check_tells_so(started: tuple[dict[str, str], str], tree: Path):
    environment, port = started
    [check] = [rest for name, rest in last_stage() if name == "HEALTHCHECK"]
    executable, *arguments = json.loads(check.partition("CMD ")[2])
    assert executable == "python" and ":8501/" in arguments[-1]
    command = [sys.executable, *(text.replace(":8501/", f":{port}/") for text in arguments)]

    def healthy() -> bool:
        return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode == 0

    deadline = time.monotonic() + 60
    while not (ready := healthy()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ready
    page = requests.get(f"http://localhost:{port}/", timeout=10)
    assert page.ok and "Access is closed" not in page.text
    listed = [sys.executable, "-m", "core", "weights", "list", "--json"]
    found = subprocess.run(listed, cwd=tree, env=environment, capture_output=True, text=True, check=True).stdout
    assert str(tree / "data" / "models" / "edgeface-xxs-starter.safetensors") in found
