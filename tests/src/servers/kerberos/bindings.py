"""bindings.py PORT CERTIFICATE KEY: HTTPS with Negotiate, tied to the TLS connection.

A ticket is good only with the channel binding tls-server-end-point of RFC 5929,
section 4; the environment names the keytab. The answer is who it was.
"""

import base64
import hashlib
import http.server
import socketserver
import ssl
import sys

import gssapi
from gssapi.raw import ChannelBindings

PORT, CERTIFICATE, KEY = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with open(CERTIFICATE) as file:
    DER = ssl.PEM_cert_to_DER_cert(file.read())
BINDINGS = ChannelBindings(
    application_data=b"tls-server-end-point:" + hashlib.sha256(DER).digest()
)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "negotiate":
            self.answer(401, b"a ticket, please\n", "Negotiate")
            return
        context = gssapi.SecurityContext(usage="accept", channel_bindings=BINDINGS)
        try:
            reply = base64.b64encode(context.step(base64.b64decode(token)) or b"").decode()
            # A step that has an error token to give fails at what is asked next.
            flags = context.actual_flags
        except gssapi.exceptions.GSSError as error:
            self.answer(403, f"{error}\n".encode())
            return
        if gssapi.RequirementFlag.channel_bound not in flags:
            self.answer(403, b"the ticket is not bound to the connection\n")
            return
        self.answer(200, f"{context.initiator_name}\n".encode(), f"Negotiate {reply}")

    def answer(self, status, body, authenticate=None):
        self.send_response(status)
        if authenticate:
            self.send_header("WWW-Authenticate", authenticate)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def get_request(self):
        stream, peer = self.socket.accept()
        # The handshake is for the thread of the connection: it may never come.
        return TLS.wrap_socket(stream, server_side=True, do_handshake_on_connect=False), peer


TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
TLS.load_cert_chain(CERTIFICATE, KEY)
Server(("127.0.0.1", PORT), Handler).serve_forever()
