"""Bad videos, and files that lead a video reader elsewhere; see `bad_files`."""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bad_files import BadFile, Trap, bad, broken
from bad_pictures import picture
from films import tiny_video

READERS = ("video", "upload clip")
_KINDS: dict[str, dict[str, Any]] = {
    "mp4": {}, "mov": {}, "mkv": {}, "webm": {"codec": "libvpx", "options": {"cpu-used": "8"}}, "avi": {"codec": "mpeg4"},
    "ts": {"codec": "mpeg2video"}, "flv": {"codec": "flv", "audio": False}, "gif": {"codec": "gif", "pix_fmt": "rgb8", "audio": False},
    "wmv": {"codec": "wmv2", "audio": False}, "nut": {"codec": "ffv1", "pix_fmt": "bgr0", "audio": False}, "mxf": {"codec": "mpeg2video", "audio": False},
}  # fmt: skip


_made: dict[str, bytes] = {}


def video(kind: str, **how: Any) -> bytes:
    """A good video of a container, 20 numbered frames at 25 per second; `how` goes to `films.tiny_video`."""
    key = repr((kind, how))
    if key not in _made:
        _made[key] = _video(kind, how)
    return _made[key]


def _video(kind: str, how: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video.{kind}"
        given = {"num_frames": 20, "height": 64, "width": 80, "fps": Fraction(25), **_KINDS.get(kind, {}), **how}
        if given.get("codec", "libx264") == "libx264":
            given["options"] = {"preset": "ultrafast", "threads": "1", **(given.get("options") or {})}
        return tiny_video(path, **given).read_bytes()


def videos(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Damaged and odd videos."""
    for kind in _KINDS:
        yield from broken(f"video.{kind}", partial(video, kind), rng, *READERS, cuts=4)
    yield from _wrong_type()
    yield from _declared_sizes()
    yield from _few_frames()
    yield from _rates()
    yield from _pictures_of_other_kinds()
    yield from _streams()


def _wrong_type() -> Iterator[BadFile]:
    yield bad("empty", "empty.mp4", b"", *READERS, refuse=True)
    yield bad("empty", "byte.mp4", b"\x00", *READERS, refuse=True)
    for name, data in {
        "text": b"no video\n" * 99, "random": np.random.default_rng(4).bytes(20000), "zeros": bytes(20000), "png": picture("PNG"),
        "jpeg": picture("JPEG"), "elf": b"\x7fELF" + bytes(900), "zip": b"PK\x03\x04" + bytes(900), "tiff": picture("TIFF"),
        "ftyp": b"\x00\x00\x00\x18ftypisom" + bytes(12), "subtitles": b"1\n00:00:00,000 --> 00:00:05,000\nhello\n",
    }.items():  # fmt: skip
        yield bad("wrong type", f"{name}.mp4", data, *READERS, refuse=True)
    kinds = list(_KINDS)
    for number, kind in enumerate(kinds):  # the content decides
        yield bad("wrong suffix", f"is-{kind}.{kinds[number - 1]}", partial(video, kind), *READERS)


def _patched(data: bytes, atom: bytes, offset: int, value: bytes, *, nth: int = 0) -> bytes:
    """MP4 with other bytes at `offset` after the name of its nth such atom."""
    place = -1
    for _ in range(nth + 1):
        place = data.index(atom, place + 1)
    start = place + 4 + offset
    return data[:start] + value + data[start + len(value) :]


def _declared_sizes() -> Iterator[BadFile]:
    good = video("mp4")
    huge, most = struct.pack(">I", 2**31 - 1), b"\xff\xff\xff\xff"
    patches = {
        "width": (b"avc1", 24, b"\x80\x00\x80\x00"), "frame-1x32768": (b"avc1", 24, b"\x00\x01\x80\x00"), "movie-length": (b"mvhd", 16, most),
        "track-length": (b"mdhd", 16, most), "time-scale-0": (b"mdhd", 12, bytes(4)), "time-scale": (b"mdhd", 12, most),
        "movie-scale-0": (b"mvhd", 12, bytes(4)), "samples": (b"stsz", 8, huge), "sample-size": (b"stsz", 4, huge), "times": (b"stts", 4, huge),
        "time-count": (b"stts", 8, huge), "time-step": (b"stts", 12, huge), "time-step-0": (b"stts", 12, bytes(4)), "chunks": (b"stsc", 4, huge),
        "offsets": (b"stco", 4, huge), "offset": (b"stco", 8, most), "atom-moov": (b"moov", -8, huge), "atom-mdat": (b"mdat", -8, most),
        "atom-0": (b"trak", -8, bytes(4)), "atom-1": (b"stbl", -8, b"\0\0\0\1"), "keys": (b"stss", 4, huge), "edits": (b"elst", 4, huge),
        "edit": (b"elst", 8, most), "matrix": (b"tkhd", 40, np.random.default_rng(5).bytes(36)), "brand": (b"ftyp", 0, b"qqqq"),
        "config": (b"avcC", 0, most),
    }  # fmt: skip
    for name, (atom, offset, value) in patches.items():
        yield bad(
            "size only declared",
            f"{name}.mp4",
            _patched(good, atom, offset, value),
            *READERS,
            sample=name in ("width", "samples", "time-count", "edits"),
        )
    for width, height in ((32768, 32768), (1, 32768), (32768, 1), (0, 0), (5000, 5000), (2**31 - 1, 64), (-64, 64)):
        text = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\nFRAME\n".encode() + bytes(5000)
        yield bad("size only declared", f"{width}x{height}.y4m", text, *READERS, refuse=True, sample=width == 32768)
    gif = video("gif")
    yield bad("size only declared", "screen.gif", gif[:6] + b"\xff" * 4 + gif[10:], *READERS, refuse=True, sample=True)
    for place in (32, 48, 64, 100, 140):
        data = bytearray(video("avi"))
        data[place : place + 4] = b"\xff\xff\xff\x7f"
        yield bad("size only declared", f"head-{place}.avi", bytes(data), *READERS)
    mkv = bytearray(video("mkv"))
    for name, mark in (("width", b"\xb0\x81\x50"), ("height", b"\xba\x81\x40")):
        if (place := mkv.find(mark)) >= 0:
            changed = mkv[:place] + mark[:1] + b"\x84\x00\x00\x80\x00" + mkv[place + 3 :]
            yield bad("size only declared", f"{name}.mkv", bytes(changed), *READERS)
    yield bad("decompression bomb", "gif-bomb.gif", partial(_gif_bomb, 3000, 40), *READERS)
    yield bad("decompression bomb", "gif-large.gif", partial(_gif_bomb, 5000, 3), *READERS, refuse=True)


def _gif_bomb(side: int, count: int) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    frames = [Image.new("P", (side, side), one) for one in range(2)]
    frames[0].save(
        out, "GIF", save_all=True, append_images=[frames[(number + 1) % 2] for number in range(1)], duration=40
    )
    data = out.getvalue()
    first = data.index(b"\x21\xf9")
    return data[:first] + data[first:-1] * (count // 2) + b";"


def _few_frames() -> Iterator[BadFile]:
    for kind in ("mp4", "mkv", "gif", "avi"):
        yield bad(
            "zero or one frame", f"one.{kind}", partial(video, kind, num_frames=1, audio=False), *READERS, refuse=True
        )
        yield bad("zero or one frame", f"two.{kind}", partial(video, kind, num_frames=2, audio=False), *READERS)
    good = video("mp4")
    yield bad("zero or one frame", "none.mp4", _patched(good, b"stsz", 8, bytes(4)), *READERS)
    yield bad("zero or one frame", "no-index.mp4", good.replace(b"moov", b"free"), *READERS)
    for name, height, width in (("one", 1, 1), ("row", 1, 64), ("column", 64, 1), ("two", 2, 2)):
        data = partial(video, "nut", codec="rawvideo", pix_fmt="rgb24", height=height, width=width)
        yield bad("one pixel", f"{name}.nut", data, *READERS, sample=name == "one")
    for width, height in ((4096, 16), (16, 4096), (5000, 16), (16, 8192)):
        data = partial(video, "mp4", height=height, width=width, num_frames=3, audio=False)
        yield bad("very long sides", f"{width}x{height}.mp4", data, *READERS, refuse=max(width, height) > 4096)


def _rates() -> Iterator[BadFile]:
    frame = b"FRAME\n" + bytes(range(96)) * 96  # 80 x 64 in 4:2:0 is 7680 bytes; the reader stops where frames end
    for rate in (
        "0:0",
        "0:1",
        "1:0",
        "1:1000",
        "1000:1",
        "1000000:1",
        "2147483647:1",
        "1:2147483647",
        "-25:1",
        "x:y",
        "25:99999999999999",
    ):
        head = f"YUV4MPEG2 W80 H64 F{rate} Ip A1:1 C420jpeg\n".encode()
        data = head + (frame[: 6 + 7680]) * 12
        yield bad(
            "absurd rates", f"rate-{rate.replace(':', '-')}.y4m", data, *READERS, sample=rate in ("0:0", "2147483647:1")
        )
    for name, fps in (("slow", Fraction(1, 100)), ("fast", Fraction(1000)), ("faster", Fraction(90000))):
        yield bad("absurd rates", f"{name}.mkv", partial(video, "mkv", fps=fps, audio=False), *READERS)
    uneven = (0, 0.04, 0.05, 0.2, 0.21, 0.6, 0.601, 1.5, 1.52, 1.6)
    far = (0, 0.04, 0.08, 9.0, 18.0, 27.0, 27.04)
    days = (0, 0.04, 0.08, 40000.0, 40000.04)
    for name, times in (("uneven", uneven), ("far", far), ("days", days)):
        for kind in ("mp4", "mkv"):
            yield bad(
                "varying rate",
                f"{name}.{kind}",
                partial(video, kind, times=times, audio=False),
                *READERS,
                sample=name == "days",
            )


def _pictures_of_other_kinds() -> Iterator[BadFile]:
    for number, turn in enumerate(((90,), (180,), (-90,), (45,), (90, True), (0, True, True))):
        for kind in ("mp4", "mov"):
            yield bad("turned", f"turn-{number}.{kind}", partial(video, kind, rotation=turn), *READERS)
    for name, aspect in (("wide", Fraction(4, 3)), ("absurd", Fraction(255, 1)), ("thin", Fraction(1, 255))):
        yield bad("turned", f"pixels-{name}.mp4", partial(video, "mp4", aspect=aspect), *READERS)
    for codec, kind, fmt in (
        ("libx264", "mp4", "yuv420p10le"), ("libx264", "mkv", "yuv422p10le"), ("libx264", "mp4", "yuv444p"), ("libx264", "mov", "gray"),
        ("ffv1", "mkv", "yuv444p16le"), ("ffv1", "mkv", "gbrp12le"), ("ffv1", "nut", "gray16le"), ("prores_ks", "mov", "yuv422p10le"),
        ("rawvideo", "avi", "bgr24"), ("rawvideo", "nut", "rgba64le"), ("ffv1", "mkv", "bgra"), ("libvpx-vp9", "webm", "yuva420p"),
    ):  # fmt: skip
        data = partial(video, kind, codec=codec, pix_fmt=fmt, num_frames=5, audio=False, options={})
        yield bad("10 bits and other pixels", f"{codec}-{fmt}.{kind}", data, *READERS)
    for transfer in ("16", "18"):  # PQ and HLG
        extra = {"color_primaries": "9", "color_trc": transfer, "colorspace": "9"}
        data = partial(video, "mp4", pix_fmt="yuv420p10le", num_frames=5, audio=False, options=extra)
        yield bad("10 bits and other pixels", f"hdr-{transfer}.mp4", data, *READERS)


def _streams() -> Iterator[BadFile]:
    for kind, count in (("mkv", 30), ("mp4", 60), ("mkv", 120), ("nut", 90)):
        yield bad("many tracks", f"tracks-{count}.{kind}", partial(_tracks, kind, count), *READERS, sample=count == 30)
    for kind, codec in (
        ("wav", "pcm_s16le"),
        ("mp3", "libmp3lame"),
        ("flac", "flac"),
        ("m4a", "aac"),
        ("mkv", "aac"),
        ("ogg", "libopus"),
    ):
        yield bad("sound only", f"sound.{kind}", partial(_sound, kind, codec), *READERS, refuse=True)
    yield bad(
        "sound only",
        "head-rate.wav",
        lambda: _sound("wav", "pcm_s16le")[:24] + b"\xff" * 8 + bytes(500),
        *READERS,
        refuse=True,
    )
    good = video("mp4")
    yield bad("sound only", "sound-cut.mp4", _patched(good, b"mp4a", 16, b"\xff" * 12), *READERS)


def _tracks(kind: str, count: int) -> bytes:
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.{kind}"
        with av.open(path, "w") as container:
            streams = [container.add_stream("mpeg4" if kind != "nut" else "ffv1", rate=25) for _ in range(count)]
            for stream in streams:
                stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for number in range(2):
                for stream in streams:
                    frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99 * number, np.uint8), format="rgb24")
                    container.mux(stream.encode(frame))
            for stream in streams:
                container.mux(stream.encode(None))
        return Path(path).read_bytes()


def _sound(kind: str, codec: str) -> bytes:
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/a.{kind}"
        with av.open(path, "w") as container:
            stream = container.add_stream(codec, rate=48000, layout="stereo")
            form = stream.codec_context.format.name if stream.codec_context.format else "s16"
            shape, kind_of = ((2, 960), np.float32) if form == "fltp" else ((1, 1920), np.int16)
            for number in range(20):
                values = np.zeros(shape, kind_of)
                frame = av.AudioFrame.from_ndarray(
                    values, format="fltp" if kind_of is np.float32 else "s16", layout="stereo"
                )
                frame.sample_rate, frame.pts = 48000, number * 960
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Path(path).read_bytes()


# --- files that lead elsewhere ----------------------------------------------------------------------------------------


def references(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Playlists, manifests and containers that name other files or addresses, and names that are patterns."""
    secret, url = f"{trap.folder}/secret.mp4", trap.url
    texts = {
        "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat": "ffconcat version 1.0\nfile '{}'\n",
        "mpd": '<?xml version="1.0"?><MPD type="static" mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
               '<Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "xspf": '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList><track><location>{}</location></track></trackList></playlist>',
        "asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>', "pls": "[playlist]\nFile1={}\nNumberOfEntries=1\n",
        "smil": '<smil><body><video src="{}"/></body></smil>', "m3u": "{}\n", "ram": "{}\n",
        "vpy": "import vapoursynth\nopen('{}')\n", "avs": 'FFmpegSource2("{}")\n',
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=tool:{}\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "ism": '<SmoothStreamingMedia MajorVersion="2" Duration="9"><StreamIndex Type="video" Url="{}"/></SmoothStreamingMedia>',
        "dtd": '<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY x SYSTEM "{}">]><MPD>&x;</MPD>',
        "imf": '<AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><Path>{}</Path></AssetMap>',
    }  # fmt: skip
    targets = {
        "file": secret,
        "scheme": f"file:{secret}",
        "http": f"{url}/a.ts",
        "concat": f"concat:{secret}|{secret}",
        "relative": "neighbour.mp4",
    }
    for kind, text in texts.items():
        for where, target in targets.items():
            if kind in ("m3u8", "ffconcat", "mpd") or where in ("file", "http"):
                for suffix in (kind, "mp4"):
                    yield bad("playlist or manifest", f"{kind}-{where}.{suffix}", text.format(target).encode(), *READERS, refuse=True,
                              beside={"neighbour.mp4": video("mp4")}, sample=kind in ("m3u8", "ffconcat") and where in ("file", "http"))  # fmt: skip
    keyed = f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"\n#EXT-X-MAP:URI="{secret}"\n#EXTINF:9,\n{url}/a.ts\n'
    yield bad("playlist or manifest", "key.m3u8", keyed.encode(), *READERS, refuse=True, sample=True)
    yield from _patterns()
    yield from _containers_that_refer(secret, url)
    yield from _polyglots(secret, url)


def _patterns() -> Iterator[BadFile]:
    frames = {f"frame{number:03d}.png": picture("PNG") for number in range(4)}
    for name in ("frame%03d.png", "frame*.png", "frame%d.jpg", "frame%03d.mp4", "frame???.png"):
        for data in (b"no picture", picture("PNG")):
            label = "is-picture" if data[:1] == b"\x89" else "is-text"
            yield bad("pattern of pictures", name, data, *READERS, "evaluate clip", refuse=True, beside=frames,
                      sample=name == "frame%03d.mp4" and label == "is-text")  # fmt: skip


def _containers_that_refer(secret: str, url: str) -> Iterator[BadFile]:
    good = video("mov", audio=False)
    for name, target in (("file", f"file://{secret}"), ("http", f"{url}/a.mov"), ("path", secret)):
        yield bad(
            "reference in a container",
            f"dref-{name}.mov",
            _external(good, target.encode()),
            *READERS,
            sample=name != "path",
        )
    for name, inner in (
        ("m3u8", f"#EXTM3U\n#EXTINF:9,\n{url}/gab2.ts\n"),
        ("ffconcat", f"ffconcat version 1.0\nfile '{secret}'\n"),
    ):
        yield bad(
            "reference in a container", f"gab2-{name}.avi", _avi_with_subtitles(inner.encode()), *READERS, sample=True
        )
    reference = _atom(
        b"rmra",
        _atom(
            b"rmda", _atom(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(url) + 6) + f"{url}/x.mov\0".encode())
        ),
    )
    yield bad(
        "reference in a container",
        "reference-movie.mov",
        _atom(b"ftyp", b"qt  \0\0\0\0") + _atom(b"moov", reference),
        *READERS,
        refuse=True,
    )


def _atom(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _external(good: bytes, target: bytes) -> bytes:
    """A MOV whose picture is said to lie in another file: its data reference takes the place of the handler's name."""
    entry = _atom(b"url ", bytes(4) + target + b"\0")
    dref = _atom(b"dref", bytes(4) + struct.pack(">I", 1) + entry)
    place = good.index(b"dref") - 4
    old = struct.unpack(">I", good[place : place + 4])[0]
    data = bytearray(good[:place] + dref + good[place + old :])
    more = len(dref) - old
    for name in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):  # those around it grow
        start = max((i for i in range(place) if data[i : i + 4] == name), default=-1)
        if start >= 4:
            size = struct.unpack(">I", data[start - 4 : start])[0]
            data[start - 4 : start] = struct.pack(">I", size + more)
    return bytes(data)


def _avi_with_subtitles(inner: bytes) -> bytes:
    """An AVI with a text track that holds a file of its own (GAB2), as VLC and ffmpeg read it."""

    def part(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    gab2 = b"GAB2\0" + struct.pack("<HI", 2, 4) + b"a\0b\0"[:4] + struct.pack("<HI", 4, len(inner)) + inner
    main = struct.pack("<14I", 40000, 0, 0, 0x10, 3, 0, 2, 0, 64, 64, 0, 0, 0, 0)
    picture_head = b"vids" + b"MJPG" + struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, 25, 0, 2, 0, 0, 0, 0, 0, 64, 64)
    picture_form = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 24, 0x47504A4D, 0, 0, 0, 0, 0)
    text_head = b"txts" + bytes(4) + struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    tracks = part(b"LIST", b"strl" + part(b"strh", picture_head) + part(b"strf", picture_form))
    tracks += part(b"LIST", b"strl" + part(b"strh", text_head) + part(b"strf", b""))
    jpeg = picture("JPEG", height=64, width=64)
    movie = part(b"01tx", gab2) + part(b"00dc", jpeg) * 2
    return part(
        b"RIFF", b"AVI " + part(b"LIST", b"hdrl" + part(b"avih", main) + tracks) + part(b"LIST", b"movi" + movie)
    )


def _polyglots(secret: str, url: str) -> Iterator[BadFile]:
    playlist = f"#EXTM3U\n#EXTINF:9,\n{url}/poly.ts\n#EXTINF:9,\nfile://{secret}\n".encode()
    mp4 = video("mp4")
    for name, data in (
        ("m3u8-mp4.mp4", playlist + mp4), ("mp4-m3u8.mp4", mp4 + playlist), ("free-m3u8.mp4", _atom(b"free", playlist) + mp4),
        ("gif-m3u8.gif", video("gif") + playlist), ("id3-m3u8.mp4", b"ID3\3\0\0\0\0\0\0" + playlist), ("mp4-zip.mp4", mp4 + b"PK\5\6" + bytes(18)),
        ("two.mp4", mp4 + mp4), ("html.mp4", _atom(b"free", b"<html><script>1</script>") + mp4), ("bom-m3u8.mp4", b"\xef\xbb\xbf" + playlist),
        ("concat-mp4.mp4", f"ffconcat version 1.0\nfile '{secret}'\n".encode() + mp4),
    ):  # fmt: skip
        yield bad("polyglot", name, data, *READERS, sample="m3u8" in name)
