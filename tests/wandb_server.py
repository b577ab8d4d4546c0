"""A stand-in for a Weights & Biases server, on loopback: what wandb 0.31 asks, and what it was told.

It speaks what the client needs for online mode, for going on with a run, for `wandb sync` and for artifacts;
it draws no curves and checks no key. A question that it does not know is kept in `unknown`.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass
class ReceivedRun:
    """What arrived about one run: `fields` from UpsertBucket, the rest from its file stream."""

    fields: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        return {key: item["value"] for key, item in json.loads(self.fields["config"]).items()}


class WandbServer(ThreadingHTTPServer):
    """Use as a context manager. While `answering` is cleared it takes connections and leaves them waiting."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answering = threading.Event()
        self.answering.set()
        self.runs: dict[str, ReceivedRun] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}  # by the end of the address they were uploaded to
        self.unknown: list[str] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answering.set()
        self.shutdown()
        self.server_close()

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The data that a GraphQL question gets."""
        project = {"id": "P", "name": "tokexp", "entity": {"id": "E", "name": "someone"}}
        match operation:
            case "Viewer":
                return {"viewer": {"id": "V", "entity": "someone", "username": "someone", "flags": "{}", "teams": None}}
            case "OrganizationCoreWeaveOrganizationID":
                return {"entity": {"organization": None}}
            case "ServerFeaturesQuery":
                return {"serverInfo": {"features": []}}
            case "UpsertBucket":
                name = asked["name"] or asked["id"]
                inserted = name not in self.runs
                run = self.runs.setdefault(name, ReceivedRun())
                run.fields |= {key: value for key, value in asked.items() if value is not None}
                bucket = {"id": name, "name": name, "displayName": run.fields["displayName"], "project": project}
                bucket |= {"config": run.fields["config"], "historyLineCount": len(run.history)}
                return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}
            case "RunResumeStatus":
                found = self.runs.get(asked["name"])
                return {"model": {**project, "bucket": found and self.resumable(asked["name"], found)}}
            case "CreateRunFiles":
                files = [{"name": name, "uploadUrl": f"{self.url}/{name}"} for name in asked["files"]]
                return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}
            case "ArtifactType":
                return {"project": {"artifact": None}}
            case "CreateArtifact":
                self.artifacts.append(asked["input"])
                return {
                    "createArtifact": {"artifact": {"id": "A", "state": "PENDING", "artifactSequence": {"id": "S"}}}
                }
            case "CreateArtifactManifest":
                file = {"id": "F", "uploadUrl": f"{self.url}/manifest", "uploadHeaders": []}
                return {"createArtifactManifest": {"artifactManifest": {"id": "M", "file": file}}}
            case "CreateArtifactFiles":
                nodes = [
                    {
                        "storagePath": wanted["name"],
                        "uploadUrl": f"{self.url}/{wanted['name']}",
                        "uploadHeaders": [],
                        "artifact": {"id": "A"},
                    }
                    for wanted in asked["input"]["artifactFiles"]
                ]
                return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
            case "CommitArtifact":
                return {"commitArtifact": {"artifact": {"id": "A", "digest": ""}}}
        self.unknown.append(operation)
        return {}

    def resumable(self, name: str, run: ReceivedRun) -> dict[str, Any]:
        """What a client needs to go on with a run: where its history ends."""
        tail = json.dumps([json.dumps(row) for row in run.history[-1:]])
        return {
            "id": name, "name": name, "displayName": run.fields["displayName"], "config": run.fields["config"],
            "summaryMetrics": json.dumps(run.summary), "historyLineCount": len(run.history), "historyTail": tail,
            "logLineCount": 0, "eventsLineCount": 0, "eventsTail": "[]", "tags": [], "notes": None,
            "wandbConfig": json.dumps({"t": 1}),
        }  # fmt: skip

    def receive(self, name: str, sent: dict[str, Any]) -> None:
        """A piece of a run's file stream: rows of history with their place, the summary as a whole, the end."""
        run = self.runs[name]
        for file, piece in (sent.get("files") or {}).items():
            rows = [json.loads(line) for line in piece["content"]]
            if file == "wandb-history.jsonl":
                run.history[piece["offset"] : piece["offset"] + len(rows)] = rows
            elif file == "wandb-summary.json":
                run.summary = rows[-1]
        if sent.get("complete"):
            run.exit_code = sent["exitcode"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WandbServer

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            whole = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answering.wait()
        return gzip.decompress(whole) if self.headers.get("Content-Encoding") == "gzip" else whole

    def reply(self, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        with suppress(ConnectionError):  # the client may have given up
            self.end_headers()
            self.wfile.write(content)

    def do_POST(self) -> None:
        sent = json.loads(self.body() or "{}")
        if stream := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
            self.server.receive(stream[1], sent)
            self.reply({"exitcode": None, "limits": {}})
        elif self.path == "/graphql":
            operation = re.match(r"\s*(?:query|mutation)\s+(\w+)", sent["query"])
            self.reply({"data": self.server.answer(operation[1] if operation else "", sent.get("variables") or {})})
        else:  # what W&B wants to know of its own work
            self.reply({})

    def do_PUT(self) -> None:
        self.server.files[self.path.removeprefix("/")] = self.body()
        self.reply({})

    def do_GET(self) -> None:
        self.server.unknown.append(f"GET {self.path}")
        self.reply({})
