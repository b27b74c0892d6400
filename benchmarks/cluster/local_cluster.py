"""A true cluster of two nodes on this machine: `ray up`, `ray submit`, `ray job submit`, and a node that is lost.

`python -m benchmarks.cluster.local_cluster` (root; needs unshare, ip, sshd and rsync). Each node has a network,
processes, a /tmp and a home of its own, and is reached by ssh alone. The cluster file is workflows/clusters/local.yaml
with other addresses, and without installing anything. All of it lies in namespaces, so that `ray stop` meets no other
Ray.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trimesh
import yaml

from benchmarks.record import ROOT, record
from fakes import stages as fake_stages
from fakes.corpus import errors_of, uids_of
from fakes.fault_round import CONFIG, OBJECTS, SHARDS, TABLES, undisturbed
from pipeline import Corpus
from pipeline.stages.config import load_config
from pipeline.state.verify import verify

SHARED, HOME = Path("/mnt/shared"), Path("/mnt/home")  # as all nodes see them; the home is another one on each
CLIENT, HEAD, WORKER = "10.77.0.1", "10.77.0.10", "10.77.0.11"
DASHBOARD = "http://127.0.0.1:8265"  # on the client, by ssh
SECONDS_PER_OBJECT = "1.5"  # of the fake render stage
LIMIT_S = 900.0
ASSETS_CONFIG = f"""
assets: {{source: folder, path: {SHARED}/assets, shard_size: 2, val_fraction: 0, heldout_fraction: 0}}
"""

MACHINE = f"""
set -e
mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs {HOME}
mount --bind {SHARED}/passwd /etc/passwd
mkdir /run/sshd
until ip addr show dev eth0 2> /dev/null | grep -q 10.77; do sleep 0.1; done
exec /usr/sbin/sshd -D -e -f {SHARED}/sshd_config
"""
SSHD_CONFIG = f"""
HostKey {SHARED}/host_key
AuthorizedKeysFile {SHARED}/key.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
MaxStartups 50
"""

# The raylet waits 15 seconds for its agents to say their ports, and not at all if it is told.
AGENT_PORTS = (
    "--dashboard-agent-listen-port=52365 --dashboard-agent-grpc-port=52366 --runtime-env-agent-port=52367 "
    "--metrics-export-port=8080"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().inside:
        (SHARED / "figures.json").write_text(json.dumps(run_cluster()))
        return
    with tempfile.TemporaryDirectory() as folder:
        mounts = f"mount -t tmpfs tmpfs /mnt && mkdir {SHARED} {HOME} && mount --bind {folder} {SHARED}"
        mounts += " && mount -t tmpfs tmpfs /tmp"
        inside = f'{mounts} && exec "{sys.executable}" -m benchmarks.cluster.local_cluster --inside'
        world = ["unshare", "--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]
        subprocess.run([*world, "bash", "-ec", inside], cwd=ROOT, check=True)
        figures = json.loads(Path(folder, "figures.json").read_text())
    notes = (
        "Two nodes in network, process and mount namespaces of their own, sshd on each, started by `ray up` from "
        "workflows/clusters/local.yaml with a token; the nodes take the packages from this machine's environment "
        "instead of installing them. `ray submit` and workflows/job.sh run the assets stage on five files, one of them "
        f"damaged. Then {len(OBJECTS)} objects in {SHARDS} shards pass three sleeping stages by `ray job submit`, "
        "and all of the second node is killed on the way. Tables are compared with those of an undisturbed run by "
        "their fingerprints."
    )
    record("local_cluster", figures, notes)


def run_cluster() -> dict[str, float]:
    """The whole story, in the namespaces of the client."""
    os.environ |= {"HOME": str(HOME), "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["RAY_API_SERVER_ADDRESS"] = DASHBOARD
    _write_files()
    _sh(f"ip link set lo up; ip link add br0 type bridge; ip addr add {CLIENT}/24 dev br0; ip link set br0 up")
    cluster = str(SHARED / "cluster.yaml")
    with _machine(HEAD), _machine(WORKER) as worker:
        (HOME / ".ray").mkdir(exist_ok=True)
        (HOME / ".ray" / "auth_token").write_text(secrets.token_hex(32))
        began = time.monotonic()
        _sh(f"ray up --yes --no-config-cache {cluster}")
        with _forwarded_dashboard(cluster):
            _wait_until(lambda: _nodes() == 2, "two nodes")
            up = time.monotonic() - began
            arguments = f"--stage assets --config {SHARED}/assets.yaml"
            # Three runs at once, so that all of them lose the node.
            others = [
                _start(f"ray submit {cluster} workflows/submit.py -- {arguments} --corpus {SHARED}/by_submit"),
                _start(f"workflows/job.sh {arguments} --corpus {SHARED}/by_job"),
            ]
            lost_for = _lose_a_node(worker)
            if any(other.wait(LIMIT_S) for other in others):
                raise SystemExit("a run of the assets stage failed")
            _wait_until(lambda: _nodes() == 1, "the loss of a node")
        _sh(f"ray down --yes {cluster}")
    for name in ("by_submit", "by_job"):
        made = Corpus(SHARED / name)
        assert (len(uids_of(made, "assets")), len(errors_of(made, "assets"))) == (4, 1), name
    return {"nodes": 2, "nodes_lost": 1, "seconds_to_ray_up": up, **lost_for, **_compare()}


def _lose_a_node(worker: subprocess.Popen) -> dict[str, float]:
    """A run by `ray job submit` that loses a node; gives when, and how long the rest took."""
    environment = {
        "working_dir": str(ROOT),
        "excludes": ["/.git", "/benchmarks", "/docs"],
        "env_vars": {fake_stages.SLOW: SECONDS_PER_OBJECT},
    }
    command = ["ray", "job", "submit", "--runtime-env-json", json.dumps(environment), "--"]
    command += ["python", "-m", "fakes.run", "--executor", "ray"]
    command += ["--corpus", str(SHARED / "corpus"), "--config", str(SHARED / "fake.yaml")]
    log = fake_stages.log_of(Corpus(SHARED / "corpus"))

    def rendered() -> int:
        return log.read_text().count("render ") if log.exists() else 0

    job = subprocess.Popen(command)
    _wait_until(lambda: rendered() >= 6 or job.poll() is not None, "work on both nodes")
    before = rendered()
    worker.kill()
    killed = time.monotonic()
    if job.wait(LIMIT_S):
        raise SystemExit(f"the job ended with exit code {job.returncode}")
    return {"objects_rendered_before_the_loss": before, "seconds_from_loss_to_end": time.monotonic() - killed}


def _compare() -> dict[str, float]:
    """The corpus of the run that lost a node, beside that of an undisturbed one."""
    fake_stages.register()
    corpus, expected = Corpus(SHARED / "corpus"), undisturbed(SHARED / "undisturbed")
    found = {*uids_of(corpus, "gaussians"), *(uid for stage in TABLES for uid in errors_of(corpus, stage))}
    places = [(table, shard) for table in TABLES.values() for shard in range(SHARDS)]
    different = sum(
        corpus.shard_record(*place).fingerprint != expected.shard_record(*place).fingerprint for place in places
    )
    problems = verify(corpus, load_config(SHARED / "fake.yaml"), range(SHARDS)).problems
    return {
        "objects": len(OBJECTS),
        "uids_lost": len(set(OBJECTS) - found),
        "tables_different": different,
        "problems_found_by_verify": len(problems),
    }


def _write_files() -> None:
    """What the nodes share, the client's key, and the cluster file."""
    accounts = Path("/etc/passwd").read_text().splitlines()
    accounts = [line for line in accounts if not line.startswith("root:")] + [f"root:x:0:0:root:{HOME}:/bin/bash"]
    (SHARED / "passwd").write_text("\n".join(accounts) + "\n")
    (SHARED / "sshd_config").write_text(SSHD_CONFIG)
    for name in ("key", "host_key"):
        _sh(f"ssh-keygen -q -t ed25519 -N '' -f {SHARED}/{name}")
    (SHARED / "fake.yaml").write_text(CONFIG)
    (SHARED / "assets.yaml").write_text(ASSETS_CONFIG)
    (SHARED / "assets").mkdir()
    for index in range(4):
        trimesh.creation.cylinder(0.3 + 0.1 * index, 1).export(SHARED / "assets" / f"drum {index}.glb")
    (SHARED / "assets" / "letter.glb").write_text("Dear reader, this is not a model.\n")
    cluster = yaml.safe_load((ROOT / "workflows" / "clusters" / "local.yaml").read_text())
    cluster["provider"] |= {"head_ip": HEAD, "worker_ips": [WORKER]}
    cluster["auth"] = {"ssh_user": "root", "ssh_private_key": str(SHARED / "key")}
    cluster["setup_commands"][0] = f"ln -sfn {Path(sys.executable).parent.parent} ~/clip-gs/.venv"
    for commands, gpus in (("head_start_ray_commands", 0), ("worker_start_ray_commands", 1)):  # a GPU on paper
        start = f"ray start --num-cpus=1 --num-gpus={gpus} {AGENT_PORTS}"
        cluster[commands] = [command.replace("ray start", start) for command in cluster[commands]]
    (SHARED / "cluster.yaml").write_text(yaml.safe_dump(cluster))


@contextmanager
def _machine(address: str) -> Iterator[subprocess.Popen]:
    """A machine that ssh reaches at `address`; killing the process is pulling its plug."""
    command = ["unshare", "--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child", "bash", "-c", MACHINE]
    with (SHARED / f"machine-{address}.log").open("w") as log, subprocess.Popen(command, stderr=log) as machine:
        network = Path(f"/proc/{machine.pid}/ns/net")
        _wait_until(lambda: network.readlink() != Path("/proc/self/ns/net").readlink(), "a network namespace")
        port = f"v{address.rpartition('.')[2]}"
        _sh(f"ip link add {port} type veth peer name eth0 netns {machine.pid}; ip link set {port} master br0 up")
        inside = f"nsenter --target {machine.pid} --net ip"
        _sh(f"{inside} link set lo up; {inside} link set eth0 up; {inside} addr add {address}/24 dev eth0")
        _sh(f"{inside} route add default via {CLIENT}")
        try:
            yield machine
        finally:
            machine.kill()


@contextmanager
def _forwarded_dashboard(cluster: str) -> Iterator[None]:
    with subprocess.Popen(["ray", "dashboard", cluster]) as tunnel:
        try:
            yield
        finally:
            tunnel.terminate()


def _nodes() -> int:
    """Nodes that live, as the dashboard says; 0 while it does not answer."""
    token = (HOME / ".ray" / "auth_token").read_text()
    request = urllib.request.Request(f"{DASHBOARD}/nodes?view=summary", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            summary = json.load(answer)["data"]["summary"]
    except OSError:
        return 0
    return sum(node["raylet"].get("state") == "ALIVE" for node in summary)


def _wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited for {what} in vain")
        time.sleep(0.5)


def _start(command: str) -> subprocess.Popen:
    print(f"$ {command}", flush=True)
    return subprocess.Popen(["bash", "-ec", command], cwd=ROOT)


def _sh(command: str) -> None:
    print(f"$ {command}", flush=True)
    subprocess.run(["bash", "-ec", command], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
