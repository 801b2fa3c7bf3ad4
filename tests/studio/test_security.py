"""What the studio lets in: asked over the network of a studio that was really started, from a folder of downloads."""

from __future__ import annotations

import ast
import http.client
import re
import shlex
import socket
from pathlib import Path

import pytest
from renders import ROOT, sample_settings
from started import Started, started_studio
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from studio import live_route
from studio.gate import HOSTS_VARIABLE, is_own_host, refusal
from studio.headers import CONTENT_POLICY
from studio.processes import studio_worker
from studio.settings import Part
from visiongen.errors import VisionGenError

SPY = "open({marker!r}, 'w').close()\n"
STREAM = "/_stcore/stream"


def lay_trap(folder: Path, marker: Path) -> None:
    """Files of names that are imported, and a plugin, as somebody could leave them among downloads."""
    for name in ("cv2", "pluggy", "streamlit", "visiongen_trap"):
        (folder / f"{name}.py").write_text(SPY.format(marker=str(marker)))
    info = folder / "visiongen_trap-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: visiongen-trap\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[visiongen]\ntrap = visiongen_trap\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Started:
    """In a folder that is full of traps."""
    folder = tmp_path_factory.mktemp("downloads")
    lay_trap(folder, folder / "sprung")
    with started_studio(folder) as found:
        yield found


def ask(server: Started, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str | None):
    """Status, headers and text of an answer; a header that is None is not sent."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    link.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"127.0.0.1:{server.port}", **headers}.items():
        if value is not None:
            link.putheader(name.replace("_", "-"), value)
    if body is not None:
        link.putheader("Content-Length", str(len(body)))
    link.endheaders(body)
    answer = link.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode("latin-1")
    link.close()
    return found


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks for open ports in /proc")
def test_it_listens_on_this_machine_only(server):
    listening = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            (address, port), state = line.split()[1].split(":"), line.split()[3]
            if int(port, 16) == server.port and state == "0A":
                listening.add(address)
    assert listening == {"0100007F"}, "127.0.0.1, written backwards"


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/nothing-here", "/_stcore/host-config"])
def test_every_answer_has_the_headers(server, path):
    _, headers, _ = ask(server, path)
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "SAMEORIGIN" and "geolocation=()" in headers["permissions-policy"]
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == CONTENT_POLICY


def test_the_policy_names_no_other_host():
    assert CONTENT_POLICY["default-src"] == CONTENT_POLICY["frame-ancestors"] == "'self'"
    assert CONTENT_POLICY["object-src"] == "'none'"
    words = {word for value in CONTENT_POLICY.values() for word in value.split()}
    assert all(word.startswith("'") or word in ("data:", "blob:") for word in words), words
    assert "data:" not in CONTENT_POLICY["script-src"]


@pytest.mark.parametrize(
    "host, right",
    [
        ("127.0.0.1:8501", True), ("localhost:8501", True), ("LOCALHOST", True), ("app.localhost:1", True),
        ("[::1]:8501", True), ("192.168.1.5:8501", True), (f"{socket.gethostname()}:8501", True),
        ("evil.example:8501", False), ("127.0.0.1.evil.example", False), ("localhost.evil.example:8501", False),
        ("", False), (None, False), ("[::1", False), ("evil.example:8501@localhost", False),
    ],
)  # fmt: skip
def test_only_own_names_are_answered(host, right):
    assert is_own_host(host) is right


def test_more_names_can_be_allowed(monkeypatch):
    assert not is_own_host("studio.example")
    monkeypatch.setenv(HOSTS_VARIABLE, "other.example, Studio.Example")
    assert is_own_host("studio.example:443") and not is_own_host("an.studio.example")


def test_a_foreign_name_for_this_machine_is_refused(server):
    """DNS rebinding: the page of evil.example asks this machine under its own name."""
    status, headers, text = ask(server, Host=f"evil.example:{server.port}")
    assert status == 403 and HOSTS_VARIABLE in text and "nosniff" in headers.values()
    assert ask(server, Host=f"localhost:{server.port}")[0] == 200


@pytest.mark.parametrize("path", [STREAM, f"{live_route.PATH}?ticket=x"])
@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:{other}", "null", None])
def test_websockets_are_for_own_pages(server, path, origin):
    """Streamlit alone would take any port of localhost, and who says nothing."""
    origin = origin and origin.format(other=server.port + 1)
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{server.port}{path}", origin=origin, open_timeout=30)


def test_its_own_page_may_connect(server):
    with connect(f"ws://127.0.0.1:{server.port}{STREAM}", origin=server.address.rstrip("/"), open_timeout=30):
        pass


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_foreign_pages_cannot_change_anything(server, method):
    status, _, text = ask(server, "/_stcore/upload_file/a/b", method, b"x", Origin="http://evil.example")
    assert status == 403 and "own pages" in text


def test_uploads_need_the_token_of_the_page(server):
    """XSRF protection is on: without the cookie and its twin in a header nothing is taken."""
    for headers in ({}, {"X_Xsrftoken": "guess"}, {"Cookie": "_streamlit_xsrf=a", "X_Xsrftoken": "b"}):
        assert ask(server, "/_stcore/upload_file/a/b", "PUT", b"x", **headers)[0] == 403
    token = re.search(r"_streamlit_xsrf=([^;]+)", ask(server, "/_stcore/health")[1]["set-cookie"])[1]
    right = {"Cookie": f"_streamlit_xsrf={token}", "X_Xsrftoken": token}
    assert ask(server, "/_stcore/upload_file/a/b", "PUT", b"x", **right)[0] == 400, "not refused, but no such session"


@pytest.mark.parametrize(
    "path",
    ["/../../../etc/passwd", "/media/../../etc/passwd", "/app/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%2f..%2fetc/passwd",
     "/_stcore/../main.py", "/component/x/../../../../etc/passwd", "/media/C:\\Windows\\win.ini", "//etc/passwd"],
)  # fmt: skip
def test_no_other_files_are_served(server, path):
    _, _, text = ask(server, path)
    assert "root:" not in text and "set_page_config" not in text


def test_who_is_refused_and_why():
    own = "127.0.0.1:8501"
    assert not refusal("http", "GET", own, None) and not refusal("http", "POST", own, f"http://{own}")
    assert not refusal("http", "GET", own, "http://evil.example"), (
        "reading is for the browser to refuse: no CORS headers"
    )
    assert refusal("http", "POST", own, "http://evil.example") and refusal("websocket", "", own, None)
    assert not refusal("http", "POST", own, None), "programs that are no browsers have no origin"


# --- code from outside ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_modules_of_the_working_folder_and_of_uploads_are_not_loaded(server, tmp_path, monkeypatch):
    """The server runs in a folder of traps; the worker is started from one, and finds another below the uploads."""
    marker = server.folder / "sprung"
    assert ask(server)[0] == 200 and not marker.exists()
    uploads = tmp_path / "uploads" / "me"
    uploads.mkdir(parents=True)
    lay_trap(uploads, tmp_path / "sprung")
    lay_trap(tmp_path, tmp_path / "sprung")
    monkeypatch.chdir(tmp_path)
    worker = studio_worker("render", tmp_path / "logs")
    task = {"do": "render", "root": str(tmp_path), "folder": str(tmp_path)}
    settings = sample_settings(portrait=str(uploads / "cv2.py"), generator=Part(name="trap"))
    try:
        with pytest.raises(VisionGenError, match="no generator named 'trap'"):
            worker.run({**task, "settings": settings.to_dict()})
    finally:
        worker.close()
    assert not (tmp_path / "sprung").exists()


def test_plugins_are_listed_with_distribution_and_version(studio):
    page = studio("app_pages/plugin_list.py")
    assert any(re.match(r"#### visiongen \d+\.\d+", one.value) for one in page.markdown)


@pytest.mark.parametrize(
    "name", ["$(touch sprung).png", "a; touch sprung #.mp4", "`touch sprung`.png", "-rf.mp4", "a\n'b\".png"]
)
def test_names_of_users_stay_one_word(name):
    """The command that a page shows for copying: a shell takes a name for a name."""
    settings = sample_settings(portrait_name=name, driving_name=name, portrait=f"/x/{name}", driving=f"/y/{name}")
    words = shlex.split(settings.command_line())
    assert words[:2] == ["visiongen", "animate"] and sum(Path(word).name.strip() == name.strip() for word in words) >= 1


def process_calls(path: Path) -> list[ast.Call]:
    """Calls that start another program."""
    starting = {"run", "call", "Popen", "check_call", "check_output", "system", "popen", "execv", "spawnv"}
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in starting:
            if isinstance(node.func.value, ast.Name) and node.func.value.id in ("subprocess", "os"):
                found.append(node)
    return found


def test_no_program_is_started_through_a_shell():
    calls = [(path, call) for folder in ("studio", "visiongen") for path in (ROOT / folder).rglob("*.py")
             for call in process_calls(path)]  # fmt: skip
    assert len(calls) >= 5
    for path, call in calls:
        assert call.func.attr not in ("system", "popen"), path
        assert not any(keyword.arg == "shell" for keyword in call.keywords), path
        assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), path


def test_a_browser_is_the_same_whatever_its_cookie_looks_like_today(server):
    """The mask of the cookie changes with every answer; who is asking must not."""
    from studio.session import unmasked

    cookies = set()
    cookie = re.search(r"_streamlit_xsrf=([^;]+)", ask(server, "/_stcore/health")[1]["set-cookie"])[1].strip('"')
    cookies.add(cookie)
    for _ in range(3):
        answer = ask(server, "/_stcore/health", Cookie=f"_streamlit_xsrf={cookie}")[1].get("set-cookie", "")
        if found := re.search(r"_streamlit_xsrf=([^;]+)", answer):
            cookies.add(found[1].strip('"'))
    stranger = re.search(r"_streamlit_xsrf=([^;]+)", ask(server, "/_stcore/health")[1]["set-cookie"])[1].strip('"')
    assert len(cookies) > 1 and len({unmasked(one) for one in cookies}) == 1, cookies
    assert unmasked(stranger) != unmasked(cookie)
    assert unmasked("2|0102|0103|5") == b"\x00\x01" and unmasked("anything else") == b"anything else"
