"""A page as a browser sees it: its elements, parsed; and a Chromium to look at it, where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

VOID = {"meta", "img", "input", "br", "link"}
# Chromium wants the pipes as files 3 and 4, whatever numbers they have here.
LAUNCH = """
import fcntl, os, sys
first, second = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(first, 3)
os.dup2(second, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page(HTMLParser):
    """Elements with their attributes, and the text inside each kind of element; a tag left open or not opened fails."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.texts.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            at = max(i for i, (tag, _) in enumerate(self.texts) if tag == self._open[-1])
            self.texts[at] = (self._open[-1], self.texts[at][1] + data)

    def all(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str | None]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws."""
        at = [i for i, attributes in enumerate(self.attributes("script")) if attributes.get("id") == "data"]
        data: dict[str, Any] = json.loads(self.all("script")[at[0]])
        return data


class Browser:
    """A Chromium without a window, driven over the pipe of its DevTools protocol: JSON messages, a NUL after each."""

    def __init__(self, program: str, profile: Path) -> None:
        their_in, my_out = os.pipe()
        my_in, their_out = os.pipe()
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        launch = [sys.executable, "-c", LAUNCH, str(their_in), str(their_out), *command]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(launch, pass_fds=(their_in, their_out), **quiet)
        os.close(their_in)
        os.close(their_out)
        self._out, self._in = os.fdopen(my_out, "wb", buffering=0), os.fdopen(my_in, "rb")
        self._left, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []

    def start(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._out.write(json.dumps(message).encode() + b"\0")
        while (got := self._receive()).get("id") != self._number:
            self.events.append(got)
        assert "error" not in got, (method, got)
        result: dict[str, Any] = got["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            part = self._in.read1(1 << 16)
            assert part, "the browser ended"
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received

    def open(self, page: Path, width: int = 1200, *, script: bool = True, dark: bool = False, media: str = "") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        size = {"width": width, "height": 800, "deviceScaleFactor": 1}
        self.call("Emulation.setDeviceMetricsOverride", **size, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def do(self, expression: str) -> Any:
        """The value of `expression` once the charts have drawn what was asked before."""
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        answer = self.call(
            "Runtime.evaluate", expression=f"{frames}.then(() => {expression})", awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def seen(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._in.close()
