"""socks5.py PORT LEVEL TARGET: a GET of /1k through a proxy, by RFC 1961.

curl, as Debian builds it, does not speak it, so this is the foreign client.
"""

import socket
import struct
import sys

import gssapi

port, level, target = map(int, sys.argv[1:])
name = gssapi.Name("rcmd@localhost", gssapi.NameType.hostbased_service)
wire = socket.create_connection(("localhost", port), 20)


def exactly(length):
    data = b""
    while len(data) < length:
        more = wire.recv(length - len(data))
        if not more:
            sys.exit("the proxy closed")
        data += more
    return data


def frame(kind, token):
    wire.sendall(struct.pack(">BBH", 1, kind, len(token)) + token)


def framed(kind):
    version, got, length = struct.unpack(">BBH", exactly(4))
    assert (version, got) == (1, kind), (version, got)
    return exactly(length)


wire.sendall(b"\5\1\1")
assert exactly(2) == b"\5\1"
context = gssapi.SecurityContext(name=name, usage="initiate")
token = context.step()
while token:
    frame(1, token)
    token = context.step(framed(1)) if not context.complete else None
frame(2, context.wrap(bytes([level]), False).message)
assert context.unwrap(framed(2)).message == bytes([level])


def send(data):
    if level:
        frame(3, context.wrap(data, level == 2).message)
    else:
        wire.sendall(data)


pending = b""


def receive(length):
    global pending
    if not level:
        return exactly(length)
    while len(pending) < length:
        result = context.unwrap(framed(3))
        assert result.encrypted == (level == 2)
        pending += result.message
    data, pending = pending[:length], pending[length:]
    return data


send(b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", target))
assert receive(10)[1] == 0
send(b"GET /1k HTTP/1.0\r\n\r\n")
print(receive(15).decode())
