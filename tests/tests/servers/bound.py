"""bound.py PORT right|wrong|none: a GET by HTTPS with a ticket and that channel binding."""

import base64
import hashlib
import http.client
import ssl
import sys

import gssapi
from gssapi.raw import ChannelBindings

context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
server = http.client.HTTPSConnection("localhost", int(sys.argv[1]), timeout=20, context=context)
server.connect()
digest = hashlib.sha256(server.sock.getpeercert(True)).digest()
bindings = {
    "right": ChannelBindings(application_data=b"tls-server-end-point:" + digest),
    "wrong": ChannelBindings(application_data=b"tls-server-end-point:" + digest[::-1]),
    "none": None,
}[sys.argv[2]]
name = gssapi.Name("HTTP@localhost", gssapi.NameType.hostbased_service)
client = gssapi.SecurityContext(name=name, usage="initiate", channel_bindings=bindings)
token = base64.b64encode(client.step()).decode()
server.request("GET", "/", headers={"Authorization": f"Negotiate {token}"})
answer = server.getresponse()
print(answer.status, answer.read().decode())
