"""liar.py HTTP SOCKS: a web server and a SOCKS5 proxy that take tickets and then lie.

The environment names the keytab. What the web server does is its path, what the proxy
does never changes: whatever protection is wanted, it offers none.
"""

import base64
import http.server
import socketserver
import sys
import threading

import gssapi

HTTP, SOCKS = int(sys.argv[1]), int(sys.argv[2])
gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False

# The first proof that was given to anybody, by path.
FIRST = {}

# SPNEGO's answer (RFC 4178, section 4.2.2): accept-incomplete, and NTLM is the mechanism.
NTLM = bytes.fromhex("2b06010401823702020a")
FOREIGN = bytes([0xA0, 3, 0x0A, 1, 1, 0xA1, len(NTLM) + 2, 6, len(NTLM)]) + NTLM
FOREIGN = bytes([0xA1, len(FOREIGN) + 2, 0x30, len(FOREIGN)]) + FOREIGN


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "negotiate":
            return self.answer(401, "Negotiate")
        context = gssapi.SecurityContext(usage="accept")
        proof = context.step(base64.b64decode(token)) or b""
        lie = self.path.strip("/")
        if lie == "tampered":
            # The last byte is one of a checksum.
            proof = proof[:-1] + bytes([proof[-1] ^ 1])
        elif lie == "replayed":
            proof = FIRST.setdefault(lie, proof)
        elif lie == "foreign":
            proof = FOREIGN
        elif lie == "garbage":
            proof = b"\x60\x82\xff\xff" + bytes(range(64))
        proof = "Negotiate " + base64.b64encode(proof).decode()
        if lie in ("again", "foreign"):
            self.answer(401, proof)
        elif lie == "unproven":
            self.answer(200, None)
        else:
            self.answer(200, proof)

    def answer(self, status, authenticate):
        self.send_response(status)
        if authenticate:
            self.send_header("WWW-Authenticate", authenticate)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"lie\n")

    def log_message(self, *_):
        pass


class Proxy(socketserver.BaseRequestHandler):
    def handle(self):
        _, count = self.exactly(2)
        self.exactly(count)
        self.request.sendall(b"\x05\x01")
        context = gssapi.SecurityContext(usage="accept")
        while not context.complete:
            token = context.step(self.frame(1))
            if token:
                self.send(1, token)
        context.unwrap(self.frame(2))
        self.send(2, context.wrap(b"\0", False).message)
        self.request.recv(1)

    def exactly(self, length):
        have = b""
        while len(have) < length:
            more = self.request.recv(length - len(have))
            if not more:
                raise EOFError
            have += more
        return have

    def frame(self, kind):
        version, have, high, low = self.exactly(4)
        assert (version, have) == (1, kind)
        return self.exactly(high << 8 | low)

    def send(self, kind, token):
        self.request.sendall(bytes([1, kind]) + len(token).to_bytes(2, "big") + token)


class Web(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Socks(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], (EOFError, OSError)):
            super().handle_error(request, address)


socks = Socks(("127.0.0.1", SOCKS), Proxy)
threading.Thread(target=socks.serve_forever, daemon=True).start()
Web(("127.0.0.1", HTTP), Handler).serve_forever()
