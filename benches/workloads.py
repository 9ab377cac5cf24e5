"""What is asked of a server: one line per workload."""
import json
from dataclasses import dataclass

HELLO = b"Hello World!\n"

#: What a browser sends; with Host these are 20 headers.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                  "Chrome/130.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "Accept-Language": "en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cache-Control": "max-age=0",
    "Cookie": "sessionid=7f3k2l9x0q8w5e6r1t4y2u3i5o7p9a0s; theme=dark; consent=all; "
              "csrftoken=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrSt",
    "DNT": "1",
    "Referer": "https://www.example.com/some/previous/page?with=query&and=more",
    "Sec-CH-UA": '"Chromium";v="130", "Not?A_Brand";v="99"',
    "Sec-CH-UA-Mobile": "?0",
    "Sec-CH-UA-Platform": '"Linux"',
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
    "X-Forwarded-For": "203.0.113.7, 198.51.100.23",
    "X-Forwarded-Proto": "https",
    "X-Request-ID": "6f1c2a8e-3b7d-4e5f-9a0b-1c2d3e4f5a6b",
}
JSON = {"Content-Type": "application/json"}

ITEMS = [{"id": i, "name": f"item {i}", "tags": ["a", "b", "c"], "value": i * 1.5}
         for i in range(148)]
BODY_JSON = json.dumps({"items": ITEMS}).encode()
BODY_1M = b"z" * 1048576


@dataclass(frozen=True)
class Workload:
    """One kind of request, and how many at a time."""

    path: str
    title: str
    length: int = 13            # of the right answer
    answer: bytes = None        # the right answer, where it is short
    connections: int = 10
    tool: str = "wrk"
    method: str = "GET"
    headers: dict = None
    body: bytes = None
    is_framework: bool = False  # its first request is slow


WORKLOADS = {
    "hello10": Workload("/hello", "hello, 13 bytes, keep-alive, 10 connections", answer=HELLO),
    "hello64": Workload("/hello", "hello, 13 bytes, keep-alive, 64 connections", answer=HELLO,
                        connections=64),
    "nokeep": Workload("/hello", "hello, a connection per request (ab)", answer=HELLO, tool="ab"),
    "env": Workload("/env", "20 request headers with cookies", headers=BROWSER),
    "body100k": Workload("/body100k", "100 KB answer in one block", length=102400),
    "stream10m": Workload("/stream10m", "10 MB answer in blocks of 64 KB", length=65536 * 160),
    "file2m6": Workload("/file2m6", "2.6 MB file by wsgi.file_wrapper", length=2600000),
    "post1m": Workload("/post", "1 MB request body, read at once", answer=b"1048576     \n",
                       method="POST", body=BODY_1M),
    "postjson": Workload("/postjson", "10 KB of JSON", answer=b"148         \n", method="POST",
                         headers=JSON, body=BODY_JSON),
    "flask": Workload("/flask", "Flask hello, browser headers", answer=HELLO, headers=BROWSER,
                      is_framework=True),
    "django": Workload("/django", "Django hello, browser headers", answer=HELLO, headers=BROWSER,
                       is_framework=True),
    "sleep100": Workload("/sleep100", "the application sleeps 100 ms, 100 connections",
                         answer=HELLO, connections=100),
    "sleep200": Workload("/sleep100", "the application sleeps 100 ms, 200 connections",
                         answer=HELLO, connections=200),
}

#: Measured when nothing else is asked for.
QUICK = ["hello10", "hello64", "env", "nokeep"]
