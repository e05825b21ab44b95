#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of lists, good ones and all kinds of bad ones. list_server.py FOLDER ADDRESS PORT [CERTIFICATE KEY]

Files of FOLDER have an ETag and come gzipped to those who take that. What was asked for is a line of output:
PATH STATUS."""
import gzip
import hashlib
import http.server
import pathlib
import ssl
import sys
import time
import zlib

folder, address, port = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

REDIRECTS = {
    "/moved": "/good.txt",
    "/loop": "/loop",
    "/to-file": "file:///etc/hostname",
    "/to-http": f"http://{address}:8080/good.txt",
    "/to-private": "http://192.168.1.20/index.html",
}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def begin(self, status, headers):
        print(self.path, status, flush=True)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def body(self, status, data, **headers):
        headers["Content-Length"] = str(len(data))
        self.begin(status, {name.replace("_", "-"): value for name, value in headers.items()})
        self.wfile.write(data)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def endless(self):
        self.begin(200, {"Transfer-Encoding": "chunked"})
        lines = b"".join(b"host%d.example.net\n" % i for i in range(50000))
        while True:
            self.chunk(lines)

    def bomb(self):
        """300 MB that are 300 KB on the way."""
        self.begin(200, {"Transfer-Encoding": "chunked", "Content-Encoding": "gzip"})
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        for _ in range(300):
            data = packer.compress(b"a" * (1 << 20))
            if data:
                self.chunk(data)
        self.chunk(packer.flush())
        self.wfile.write(b"0\r\n\r\n")

    def slow(self):
        self.begin(200, {"Content-Length": "1000000"})
        while True:
            self.wfile.write(b"a.example.net\n")
            self.wfile.flush()
            time.sleep(0.2)

    def cut_off(self):
        self.begin(200, {"Content-Length": "1000000", "Connection": "close"})
        self.wfile.write(b"a.example.net\n" * 1000)
        self.close_connection = True

    def file(self):
        path = folder / self.path.strip("/")
        if not path.is_file():
            self.body(404, b"<html>There is no such list</html>")
            return
        data = path.read_bytes()
        tag = '"%s"' % hashlib.md5(data).hexdigest()
        if self.headers.get("If-None-Match") == tag:
            self.begin(304, {"ETag": tag})
        elif "gzip" in self.headers.get("Accept-Encoding", ""):
            self.body(200, gzip.compress(data), ETag=tag, Content_Encoding="gzip")
        else:
            self.body(200, data, ETag=tag)

    def do_GET(self):
        special = {"/endless": self.endless, "/bomb": self.bomb, "/slow": self.slow, "/cut-off": self.cut_off}
        try:
            if self.path in REDIRECTS:
                self.body(302, b"", Location=REDIRECTS[self.path])
            else:
                special.get(self.path, self.file)()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


server = Server((address, port), Handler)
if len(sys.argv) > 5:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
