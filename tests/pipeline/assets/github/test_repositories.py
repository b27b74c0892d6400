"""Objects of one repository are fetched by git, at once, and nothing of a repository acts on the machine."""

import os
import time
from base64 import b64decode
from pathlib import Path

import pytest

from pipeline import Corpus
from pipeline.assets.config import AssetsConfig
from pipeline.assets.github import git_command, repositories
from pipeline.assets.github.git_command import Git, GitFailed
from pipeline.assets.github.repository import Repository
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from pipeline.run import main
from tests.pipeline.assets.asset_makers import Store, box_glb, mtl, obj, png
from tests.pipeline.assets.asset_server import status
from tests.pipeline.assets.github.git_server import GitServer, commit, lfs_pointer
from tests.pipeline.assets.xl_hub import TABLES, Entry, XLHub, listed, table

NAME = "maker/models"
MANY = 10


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with XLHub() as hub:
        yield hub


@pytest.fixture
def server(tmp_path):
    with GitServer(tmp_path / "served") as server:
        yield server


def chairs(count: int = MANY) -> dict[str, bytes]:
    """Objects that share a texture, and whose libraries lie beside them."""
    files = {"tex/oak.png": png()}
    for number in range(count):
        files[f"chairs/c{number}.obj"] = obj(f"c{number}.mtl") + f"# {number}\n".encode()
        files[f"chairs/c{number}.mtl"] = mtl("../tex/oak.png")
    return files


def publish(server: GitServer, hub: XLHub, files: dict[str, bytes], links: dict[str, str] | None = None) -> str:
    """The same commit at the git server and among the single files."""
    name = commit(server.root / NAME, files, links)
    hub.put(files, NAME, name)
    return name


def entries(files: dict[str, bytes], name: str) -> list[Entry]:
    return [listed(path, data, NAME, name) for path, data in files.items() if path.endswith((".obj", ".glb"))]


def raw_requests(hub: XLHub) -> list[str]:
    return [path for path, _ in hub.requests if path.startswith("/raw")]


def run(hub: XLHub, server: GitServer, folder: Path, *rows: Entry, **fields) -> Store:
    return hub.run(folder, *rows, **{"github_git": server.url, "repository_objects": 8} | fields)


def test_many_objects_of_one_repository_take_a_few_requests(hub, server, tmp_path):
    files = chairs()
    name = publish(server, hub, files)
    store = run(hub, server, tmp_path, *entries(files, name))
    assert len(store.rows) == MANY
    assert {(row["parts_fetched"], row["parts_missing"]) for row in store.rows} == {(2, 0)}
    assert server.fetches == 4  # the folders, the models, their libraries, the texture
    assert not raw_requests(hub)


def test_they_are_what_single_files_would_have_been(hub, server, tmp_path):
    files = chairs(9) | {"a/%20x.obj": obj("../chairs/C0.MTL")}
    name = publish(server, hub, files)
    hub.put({"a/%2520x.obj": files["a/%20x.obj"], "chairs/C0.MTL": files["chairs/c0.mtl"]}, NAME, name)
    (tmp_path / "other").mkdir()
    by_git = run(hub, server, tmp_path, *entries(files, name)).rows
    singly = run(hub, server, tmp_path / "other", *entries(files, name), repository_objects=0).rows
    assert [row["uid"] for row in by_git] == [row["uid"] for row in singly]
    assert [row["parts_fetched"] for row in by_git] == [row["parts_fetched"] for row in singly] == [2] * 10
    # a name that differs by case alone is found where the folders can be listed
    assert [row["sha256"] for row in by_git] == [row["sha256"] for row in singly]


def test_few_objects_are_fetched_singly(hub, server, tmp_path):
    files = chairs(3)
    name = publish(server, hub, files)
    assert len(run(hub, server, tmp_path, *entries(files, name)).rows) == 3
    assert not server.requests


def test_parts_that_are_called_otherwise_are_found_in_the_list_of_files(hub, server, tmp_path):
    files = {"m.obj": obj("Paint.MTL"), "paint.mtl": mtl("linked/oak.png", "gone.png"), "tex/oak.png": png()}
    name = publish(server, hub, files, {"linked": "tex"})
    row = run(hub, server, tmp_path, *entries(files, name)).only_row()
    assert (row["parts_fetched"], row["missing_textures"]) == (2, ["gone.png"])
    assert server.fetches == 2  # the list, and what the link says: no contents
    assert hub.asked(hub.raw("tex/oak.png", NAME, name))


def test_the_corpus_counts_not_the_batch(hub, server, tmp_path):
    files = chairs()
    name = publish(server, hub, files)
    hub.files[TABLES["github"]] = table(*entries(files, name))
    config = hub.config(tmp_path, github_git=server.url, repository_objects=8, batch_size=3, shard_size=4)
    flags = [f"--assets.{field.replace('_', '-')}={value}" for field, value in config.items()]
    command = ["--stage", "assets", "--corpus", str(tmp_path / "corpus"), "--workers", "1"]
    assert main([*command, *flags]) == 0
    corpus = Corpus(tmp_path / "corpus")
    rows = [row for shard in range(3) for row in corpus.read_rows("assets", shard)]
    assert len(rows) == MANY
    assert not raw_requests(hub)
    # one worker fetched the folders once, and what each of its batches lacked
    commits = sum("git-upload-pack" in path and method == "POST" for method, path, _ in server.requests)
    assert commits == server.fetches <= 1 + 3 * 4


def test_the_ledger_is_the_same_by_git(hub, server, tmp_path):
    files = {
        "changed.glb": box_glb() + b"1",
        "large.obj": lfs_pointer(obj()),
        "m.obj": obj(),
        "windows.obj": obj("w.mtl"),
        "shared/box.glb": box_glb(),
    }
    links = {"link.glb": "shared/box.glb", "inner": "shared", "dangling.glb": "nowhere.glb", "out.glb": "/etc/passwd"}
    name = publish(server, hub, files, links)
    hub.files[f"/lfs/{NAME}/{name}/large.obj"] = obj()
    rows = [
        listed("changed.glb", box_glb(), NAME, name),
        listed("large.obj", obj(), NAME, name),
        listed("windows.obj", obj("w.mtl").replace(b"\n", b"\r\n"), NAME, name),
        *[listed(path, box_glb(), NAME, name) for path in ("link.glb", "inner/box.glb", "dangling.glb", "out.glb")],
        listed("gone.glb", box_glb(), NAME, name),
    ]
    store = run(hub, server, tmp_path, *rows, repository_objects=3)
    names = {row["uid"]: row["origin_uri"].rpartition(f"{name}/")[2] for row in store.plan}
    assert {names[row["uid"]] for row in store.rows} == {"large.obj", "windows.obj", "link.glb", "inner/box.glb"}
    assert {names[failure.uid]: failure.error_class for failure in store.failures} == {
        "changed.glb": "Modified",
        "dangling.glb": "Missing",
        "out.glb": "Modified",
        "gone.glb": "Missing",
    }
    assert not raw_requests(hub)


def test_a_repository_is_let_go_of_when_its_objects_are_done(hub, server, tmp_path):
    files = chairs()
    name = publish(server, hub, files)
    hub.put({"m.glb": box_glb()})
    store = run(hub, server, tmp_path, *entries(files, name), listed("m.glb", box_glb()))
    assert len(list((store.scratch / "repositories").iterdir())) == 1
    assert store.stage.process(store.plan[-1:])
    assert not list((store.scratch / "repositories").iterdir())


def test_a_server_of_single_files_that_takes_no_requests_is_not_waited_for(hub, server, tmp_path):
    files = chairs(2)
    name = publish(server, hub, files)
    for path in files:
        hub.answers[hub.raw(path, NAME, name)] = [status(429, Retry_After="3000")] * 9
    store = run(hub, server, tmp_path, *entries(files, name))
    assert [row["parts_fetched"] for row in store.rows] == [2, 2]
    assert len(raw_requests(hub)) <= 2  # one for each thread


def test_where_git_does_not_help_a_closed_server_is_waited_for(hub, server, tmp_path):
    files = chairs(1)
    name = publish(server, hub, files)
    server.refusal = lambda path: (429, {})
    hub.answers[hub.raw("chairs/c0.obj", NAME, name)] = [status(429, Retry_After="1")]
    assert run(hub, server, tmp_path, *entries(files, name)).only_row()["parts_fetched"] == 2


# Where git does not help


@pytest.mark.parametrize("code", [401, 404, 429, 500])
def test_a_server_that_refuses_is_told_once_and_files_are_fetched_singly(hub, server, tmp_path, caplog, code):
    files = chairs()
    name = publish(server, hub, files)
    server.refusal = lambda path: (code, {"WWW-Authenticate": "Basic"} if code == 401 else {})
    caplog.set_level("INFO")
    started = time.monotonic()
    assert len(run(hub, server, tmp_path, *entries(files, name)).rows) == MANY
    assert time.monotonic() - started < 60  # nobody was asked for a password
    assert caplog.text.count("its files are fetched one by one") == 1
    assert NAME in caplog.text
    warned = any(record.levelname == "WARNING" and NAME in record.getMessage() for record in caplog.records)
    assert warned == (code in (429, 500))  # what is gone, the ledger tells


def test_github_is_not_asked_behind_the_back_of_a_mirror(hub, server, tmp_path):
    files = chairs()
    name = publish(server, hub, files)
    store = hub.run(tmp_path, *entries(files, name), repository_objects=8)  # and github_git as it is by default
    assert len(store.rows) == MANY
    assert not (store.scratch / "repositories").exists()


def test_a_folder_that_lists_too_much_is_left_to_single_files(hub, server, tmp_path, monkeypatch, caplog):
    files = chairs()
    name = publish(server, hub, files)
    monkeypatch.setattr(git_command, "MAX_OUTPUT_BYTES", 200)
    assert len(run(hub, server, tmp_path, *entries(files, name)).rows) == MANY
    assert "git ls-tree gives more than 200 bytes" in caplog.text


def test_without_git_files_are_fetched_singly(hub, server, tmp_path, monkeypatch, caplog):
    files = chairs()
    name = publish(server, hub, files)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert len(run(hub, server, tmp_path, *entries(files, name)).rows) == MANY
    assert "git is not installed" in caplog.text


def test_a_repository_that_is_too_large_is_left_to_single_files(hub, server, tmp_path, monkeypatch, caplog):
    files = chairs() | {f"big/b{number}.glb": box_glb() + os.urandom(30_000) for number in range(9)}
    name = publish(server, hub, files)
    monkeypatch.setattr(repositories, "MAX_BYTES", 100_000)
    store = run(hub, server, tmp_path, *entries(files, name))
    assert len(store.rows) + len(store.failures) == MANY + 9
    assert "it has more than 1" in caplog.text
    assert raw_requests(hub)


def test_a_server_that_takes_too_long_is_left_alone(server, tmp_path):
    name = commit(server.root / NAME, {"m.glb": box_glb()})
    server.refusal = lambda path: time.sleep(1.5)
    git = Git(tmp_path / "git", 10**8, silence_s=9)
    with pytest.raises(GitFailed, match="not there in time"):
        Repository(git, f"{server.url}/{NAME}", name, "", seconds=0.3)


# What git may do


def test_nothing_of_a_repository_or_of_the_users_settings_runs(hub, server, tmp_path, monkeypatch):
    proof = tmp_path / "proof"
    (tmp_path / "home").mkdir()
    script = f"!touch {proof}"
    (tmp_path / "home" / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {tmp_path}/hooks\n\tfsmonitor = "{script}"\n[credential]\n\thelper = "{script}"\n'
        f'[filter "lfs"]\n\tsmudge = touch {proof}\n\tprocess = touch {proof}\n\trequired = true\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_ASKPASS", str(tmp_path / "ask"))
    monkeypatch.setenv("SSH_ASKPASS", str(tmp_path / "ask"))
    (tmp_path / "ask").write_text(f"#!/bin/sh\ntouch {proof}\n")
    (tmp_path / "ask").chmod(0o755)
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-merge"):
        (tmp_path / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {proof}\n")
        (tmp_path / "hooks" / hook).chmod(0o755)
    files = chairs() | {
        ".gitattributes": b"* filter=lfs diff=lfs text eol=crlf\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = "ext::touch {proof}"\n'.encode(),
    }
    name = publish(server, hub, files)
    store = run(hub, server, tmp_path, *entries(files, name))
    assert len(store.rows) == MANY
    server.refusal = lambda path: (401, {"WWW-Authenticate": "Basic"})
    (tmp_path / "other").mkdir()
    assert len(run(hub, server, tmp_path / "other", *entries(files, name)).rows) == MANY
    assert not proof.exists()
    assert not list(store.scratch.rglob("c0.obj"))  # nothing was checked out


def test_the_token_goes_to_its_host_alone_and_is_in_no_argument(hub, server, tmp_path, monkeypatch, caplog):
    files = chairs()
    name = publish(server, hub, files)
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    seen: list[str] = []
    popen = git_command.subprocess.Popen

    def watching(command, **kwargs):
        seen.extend(command)
        return popen(command, **kwargs)

    monkeypatch.setattr(git_command.subprocess, "Popen", watching)
    with GitServer(server.root) as elsewhere:
        server.refusal = lambda path: (302, {"Location": elsewhere.url + path})
        assert len(run(hub, server, tmp_path, *entries(files, name)).rows) == MANY
        assert elsewhere.fetches  # a redirect is followed, without the token
        assert not any("authorization" in headers for _, _, headers in elsewhere.requests)
    sent = {headers.get("authorization", "") for _, _, headers in server.requests}
    assert {b64decode(value.split()[1]) for value in sent if value} == {b"x-access-token:ghp_secret"}
    assert seen
    assert not any("secret" in word for word in seen)
    assert "secret" not in caplog.text
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"secret" in file.read_bytes()]


@pytest.mark.parametrize("address", ["file://{root}", "{root}"])
def test_a_folder_of_repositories_serves_as_well(hub, server, tmp_path, address):
    files = chairs()
    name = publish(server, hub, files)
    place = address.format(root=server.root)
    if not place.startswith("file"):
        with pytest.raises(ConfigError, match=r"assets\.github_git: .* is neither an https:// address nor a folder's"):
            run(hub, server, tmp_path, *entries(files, name), github_git=place)
        return
    assert len(run(hub, server, tmp_path, *entries(files, name), github_git=place).rows) == MANY
    assert not raw_requests(hub)


@pytest.mark.parametrize(
    "address", ["ssh://github.com", "git://github.com", "ext::sh", "http://example.org", "-oProxy=x", ""]
)
def test_git_is_given_no_other_address(address):
    with pytest.raises(ConfigError, match=r"assets\.github_git"):
        make_source(AssetsConfig(source="objaverse-xl", github_git=address))


def test_a_password_in_the_address_is_refused_unprinted():
    with pytest.raises(ConfigError, match=r"assets\.github_git") as caught:
        make_source(AssetsConfig(source="objaverse-xl", github_git="https://me:secret@github.com"))
    assert "secret" not in str(caught.value)
